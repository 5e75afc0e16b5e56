-- rules/persona.lua: rooms. Channels that people talk in and that jobs report to, who is there, and a channel of
-- each user's own. Its events have no names: each is a JSON object that says its `type`.
local sluice = require "sluice"
local json   = require "sluice.json"
local jwt    = require "sluice.jwt"
local redis  = require "sluice.redis"
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
local FIELDS = {
  type      = "chat, generation_progress, generation_complete or presence",
  timestamp = "when, as 2026-11-26T12:00:00Z; the server's time where the message names none",
  channel   = "where: channel:{id} or user:{id}; the topic's name where the message names none",
  userId    = "whose it is",
  userName  = "that user's name",
  content   = "what is said; of a job, its title",
  jobId     = "which job",
  progress  = "how far it is, from 0 to 100",
  message   = "what is being done",
  result    = "what came of it: any JSON",
  status    = "online or offline; of a job, what its app says, as running, done, failed",
}

-- The types of messages: what one must have, and of which Lua type; `types` is what the pages are told of them.
local needed, types = {}, {}

local function message_type(name, about, needs, others)
  local fields = {}
  for _, field in ipairs(others) do fields[field] = FIELDS[field] end
  for _, field in ipairs { "type", "timestamp", "channel" } do fields[field] = FIELDS[field] .. "; always there" end
  for field in pairs(needs) do fields[field] = FIELDS[field] .. "; always there" end
  needed[name], types[name] = needs, { about = about, fields = fields }
end

message_type("chat", "Somebody says something.", { userId = "string", content = "string" }, { "userName" })
message_type("generation_progress", "A job goes on. Who is slow gets the newest of these alone.",
             { jobId = "string", progress = "number" }, { "userId", "userName", "content", "message", "status" })
message_type("generation_complete", "A job is over.",
             { jobId = "string" }, { "userId", "userName", "content", "message", "result", "status" })
message_type("presence", "Somebody came or went: with the first stream, and five seconds after the last.",
             { userId = "string", status = "string" }, { "userName" })

local function publish(topic, message)
  local trigger = { channel = topic.name, timestamp = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(time.now())) }
  for field in pairs(FIELDS) do
    local value = message[field]
    if value ~= nil and value ~= json.null then trigger[field] = value end
  end
  topic:emit(message.type, trigger, {                   -- who is slow is told how far a job is now, not how far it was
    replaces = message.type == "generation_progress" and message.jobId or nil,
  })
end

-- A name is that of a token. Of who has no stream here it is the one that was noted last: on this node, for a day; with
-- Redis on any node, for a week.
local REDIS = sluice.env("PERSONA_REDIS", "")           -- redis://host:6379; without, apps publish over HTTP alone
local noted = REDIS ~= "" and redis.connect(REDIS)
local DAY, AT_ONCE = 86400, 500

local function note(user, name)
  if type(name) ~= "string" or store.get("name:" .. user) == name then return end
  store.set("name:" .. user, name, { ttl = DAY })
  if noted then noted:try("SET", "persona:name:" .. user, name, "EX", 7 * DAY) end
end

-- By user; of who is not in it nobody knows one.
local function names_of(users)
  local names, others = {}, {}
  for _, user in ipairs(users) do
    local sub = app:subscribers { user = user }[1]
    if sub then
      names[user] = sub.data.name
      note(user, sub.data.name)
    else
      names[user] = store.get("name:" .. user)
      if noted then others[#others + 1] = user end
    end
  end
  for from = 1, #others, AT_ONCE do
    local keys = {}
    for i = from, math.min(from + AT_ONCE - 1, #others) do keys[#keys + 1] = "persona:name:" .. others[i] end
    for i, name in ipairs(noted:try("MGET", unpack(keys)) or {}) do names[others[from + i - 1]] = name or nil end
  end
  return names
end

local channel
channel = app:topic("channel:{id}", {
  about     = "A room: what is said in it, the jobs that run for it, and who is there. Its id is up to 64 letters,"
    .. " digits, '.', '_', '-'. A token that names channels opens those alone.",
  types     = types,
  event     = false,
  subscribe = function(sub, params) return may(sub.data, params.id) end,
  history   = { size = 256, ttl = 600 },
  limit     = { rate = 50, burst = 200 },
  presence  = { grace = 5, change = function(user, status, params)
    publish(channel(params.id),
            { type = "presence", userId = user, userName = names_of { user }[user], status = status })
  end },
})

local mine = app:topic("user:{id}", {
  about     = "What concerns one user, wherever that one is.",
  types     = types,
  event     = false,
  subscribe = sluice.owner "id",
  history   = { size = 256, ttl = 600 },
  limit     = { rate = 50, burst = 200 },
})

app:stream("events", {
  about    = "All channels that a page wants: ?channel=channel:general&channel=user:ann; without any, its user's own."
    .. " ?last_event_id=earliest brings what was said lately.",
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
  about    = 'Says {"channel":"channel:general","content":…}, up to 4,000 bytes: 204. The user is the token\'s.'
    .. " Who goes on saying more than one a second, after ten at once, gets 429.",
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

app:route("members", "GET /api/channels/{id}/members", {
  about    = 'Who is there, on all nodes: {"members":[{"userId":…,"userName":…}]}. While their Redis is away: 503.',
  identity = holder,
  run      = function(req, params)
    if not may(req.data, params.id) then return 403 end
    local known, users = pcall(function() return app:presence(channel(params.id)):list() end)
    if not known then return 503 end
    local names   = names_of(users)
    local members = json.list {}
    for i, user in ipairs(users) do members[i] = { userId = user, userName = names[user] } end
    return { json = { members = members } }
  end,
})

-- The bus: messages for `realtime:channel:general` and `realtime:user:ann`, whatever they come by.
local TOPICS = {
  channel = function(id) return is_channel(id) and channel(id) end,
  user    = function(id) return #id <= 256 and mine(id) end,
}

local function fault_of(message)
  if type(message) ~= "table" then return "it is no JSON object" end
  local needs = needed[message.type]
  if not needs then return "its type is none of ours" end
  for field, kind in pairs(needs) do
    if type(message[field]) ~= kind then return ("a %s without its %s"):format(message.type, field) end
  end
  if message.type == "presence" and message.status ~= "online" and message.status ~= "offline" then
    return "a presence that is neither online nor offline"
  end
end

local function relay(ev, bus)
  local kind, id = (bus or ""):match "^realtime:(%l+):(.+)$"
  local topic    = TOPICS[kind] and TOPICS[kind](id)
  if not topic then return ev:drop "its channel is none of ours" end
  local message  = json.decode(ev.data)
  local fault    = fault_of(message)
  if fault then return ev:drop(fault) end
  local ok, why = pcall(publish, topic, message)        -- what no JSON can say, such as 1e999
  if not ok then ev:drop(tostring(why)) end
end

if REDIS ~= "" then
  local bus = app:redis("bus", { url = REDIS, pattern = "realtime:*", topics = { channel, mine } })
  bus:on("message", function(ev) relay(ev, ev.channel) end)
end

local realtime = app:ingest("realtime", {
  about     = 'For apps: the type is "message", the topic realtime:channel:{id} or realtime:user:{id}, the data one of'
    .. " the types above. What makes no sense is dropped and counted.",
  path      = "/api/realtime",
  authorize = sluice.bearer(sluice.env "PERSONA_PUBLISH_KEY"),
})
realtime:on("message", function(ev) relay(ev, ev.topic) end)
