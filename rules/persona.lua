-- rules/persona.lua: rooms. Channels that people talk in and that jobs report to, who is there, and a channel of
-- each user's own. Its events have no names: each is a JSON object that says its `type`.
local sluice = require "sluice"
local json   = require "sluice.json"
local jwt    = require "sluice.jwt"
local store  = require "sluice.store"
local time   = require "sluice.time"

local app = sluice.app "persona"

local holder = jwt.identity {
  keys = jwt.keys { { alg = "HS256", key = sluice.env "PERSONA_JWT_KEY" } },
  aud  = "persona",
  from = { "header", query = "token" },                 -- EventSource can send no header
  data = function(claims) return { name = claims.name, channels = claims.channels } end,
}

local function is_channel(id) return #id <= 64 and id:find "^[%w._-]+$" ~= nil end

-- A token may name the channels that it opens; one that names none opens all.
local function may(data, id)
  if not is_channel(id) then return false end
  if not data.channels then return true end
  for _, opened in ipairs(data.channels) do
    if opened == id then return true end
  end
  return false
end

-- What goes out of a message. Nothing else does.
local KEPT = { "type", "timestamp", "userId", "userName", "channel", "content", "jobId", "progress", "message",
               "result", "status" }

-- What a message must have, by its type.
local NEEDED = {
  chat                = { userId = "string", content = "string" },
  generation_progress = { jobId = "string", progress = "number" },
  generation_complete = { jobId = "string" },
  presence            = { userId = "string", status = "string" },
}

local function publish(topic, message)
  local trigger = { channel = topic.name, timestamp = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(time.now())) }
  for _, field in ipairs(KEPT) do
    local value = message[field]
    if value ~= nil and value ~= json.null then trigger[field] = value end
  end
  topic:emit(message.type, trigger, {                   -- who is slow is told how far a job is now, not how far it was
    replaces = message.type == "generation_progress" and message.jobId or nil,
  })
end

-- The name is the newest stream's; who has gone is remembered for a day.
local function name_of(user)
  local sub = app:subscribers { user = user }[1]
  if sub then store.set("name:" .. user, sub.data.name, { ttl = 86400 }) end
  return store.get("name:" .. user)
end

local channel
channel = app:topic("channel:{id}", {
  event     = false,
  subscribe = function(sub, params) return may(sub.data, params.id) end,
  history   = { size = 256, ttl = 600 },
  limit     = { rate = 50, burst = 200 },
  presence  = { grace = 5, change = function(user, status, params)
    publish(channel(params.id), { type = "presence", userId = user, userName = name_of(user), status = status })
  end },
})

local mine = app:topic("user:{id}", {
  event     = false,
  subscribe = sluice.owner "id",
  history   = { size = 256, ttl = 600 },
  limit     = { rate = 50, burst = 200 },
})

app:stream("events", {
  path     = "/api/events",
  identity = holder,
  query    = { topic = "channel" },                     -- ?channel=channel:general&channel=user:ann
  topics   = function(req, sub)
    if not req.query.channel then return mine(sub.user) end
  end,
  earliest = true,                                      -- a page that begins anew gets what was said lately
  refusal  = sluice.env("PERSONA_REFUSAL", "status"),
})

app:route("say", "POST /api/chat/messages", {
  identity = holder,
  rate     = { rate = 1, burst = 10, per = "user" },
  run      = function(req)
    local said    = req:json()
    local content = type(said) == "table" and said.content
    local id      = content and type(said.channel) == "string" and said.channel:match "^channel:(.+)$"
    if not id or type(content) ~= "string" or #content > 4000 or not content:find "%S" then return 422 end
    if not may(req.data, id) then return 403 end
    publish(channel(id), { type = "chat", userId = req.user, userName = req.data.name, content = content })
    return 204
  end,
})

app:route("members", "GET /api/channels/{id}/members", { identity = holder, run = function(req, params)
  if not may(req.data, params.id) then return 403 end
  local members = json.list {}
  for i, user in ipairs(app:presence(channel(params.id)):list()) do
    members[i] = { userId = user, userName = name_of(user) }
  end
  return { json = { members = members } }
end })

-- The bus: messages for `realtime:channel:general` and `realtime:user:ann`, whatever they come by.
local TOPICS = {
  channel = function(id) return is_channel(id) and channel(id) end,
  user    = function(id) return #id <= 256 and mine(id) end,
}

local function fault_of(message)
  if type(message) ~= "table" then return "it is no JSON object" end
  local needed = NEEDED[message.type]
  if not needed then return "its type is none of ours" end
  for field, kind in pairs(needed) do
    if type(message[field]) ~= kind then return ("a %s without its %s"):format(message.type, field) end
  end
end

local function relay(ev, bus)
  local kind, id = (bus or ""):match "^realtime:(%l+):(.+)$"
  local topic    = TOPICS[kind] and TOPICS[kind](id)
  if not topic then return ev:drop "its channel is none of ours" end
  local message  = json.decode(ev.data)
  local fault    = fault_of(message)
  if fault then return ev:drop(fault) end
  publish(topic, message)
end

local realtime = app:ingest("realtime", {
  path      = "/api/realtime",
  authorize = sluice.bearer(sluice.env "PERSONA_PUBLISH_KEY"),
})
realtime:on("message", function(ev) relay(ev, ev.topic) end)
