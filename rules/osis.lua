-- rules/osis.lua: chat between key holders. A user is a public key; what happens in a conversation goes to its
-- participants and to nobody else: each has a topic, so a message costs what its participants are.
--
-- A router in front proves who holds which key, and says it on a listener of its own (`listen_trusted`, a Unix socket
-- that only it may open). Elsewhere a key is believed if it has signed a token that names it.
local sluice = require "sluice"
local cache  = require "sluice.cache"
local fields = require "sluice.fields"
local http   = require "sluice.http"
local jwt    = require "sluice.jwt"
local log    = require "sluice.log"

local app      = sluice.app "osis"
local OSIS     = sluice.env("OSIS_URL", "http://127.0.0.1:8390")
local KEY      = sluice.env "PUBLISH_KEY"                -- what the app publishes with, and we ask it with
local AUDIENCE = sluice.env("OSIS_AUDIENCE", "")         -- whom tokens must be for; else they name nobody
local LEEWAY   = 5                                       -- seconds that the holders' clocks may differ
local LATEST   = 253402300799                            -- the end of the year 9999, behind which no stream expires
local KEY_MAX  = 1000                                    -- bytes, with three for all but letters, digits, "-._~"
local CONTEXT_MAX = 512

local function is_key(text)
  local escaped = select(2, text:gsub("[^%w%-._~]", ""))
  return text ~= "" and #text + 2 * escaped <= KEY_MAX and not text:find "[%c%s]"
end

-- The key that a request names: a header, or, as EventSource has none, the query. Two in a query are none: who has
-- looked at it before us may have read the other one.
local function named_key(req)
  local key = req.headers["x-public-key"]
  if not key then
    local named = req:query_all "public_key"
    key = #named == 1 and named[1] or ""
  end
  return is_key(key) and key or nil
end

-- Base64 of a SubjectPublicKeyInfo, as keys are named (of either alphabet, with or without padding), in a PEM's frame.
local function pem_of(key)
  local bare  = key:gsub("=+$", ""):gsub("-", "+"):gsub("_", "/")
  local lines = (bare .. ("="):rep(-#bare % 4)):gsub(("."):rep(64), "%0\n")
  return ("-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n"):format(lines)
end

-- Until when a token that this key has signed says that its holder is there; nil: it does not say so.
local function signed_until(req, key)
  local token = jwt.bearer(req, { "header", query = "token" })
  if not token or not key:find "^[%w+/=_-]+$" then return nil end
  local pem    = pem_of(key)
  local claims = jwt.verify(token, {
    keys   = jwt.keys { { alg = "ES256", key = pem }, { alg = "RS256", key = pem } },
    aud    = AUDIENCE ~= "" and AUDIENCE or nil,
    leeway = LEEWAY,
  })
  local exp = claims and claims.sub == key and tonumber(claims.exp)
  return exp and math.min(exp + LEEWAY, LATEST) or nil
end

local holder = sluice.identity(function(req)
  local key = named_key(req)
  if not key then return nil end
  local expires = not req.trusted and signed_until(req, key) or nil
  if not req.trusted and not expires then return nil end
  local context = req.query.context ~= "" and req.query.context or nil
  if context and #context > CONTEXT_MAX then return nil, "bad_request" end
  return { user = key, data = context and { context = context }, expires = expires }
end)

-- Who takes part, and the context: what the app told last, else it is asked. An app that does not answer, or not with
-- a list of keys, raises: nobody is left out because it was not understood. Passed over is what no stream can have.
local function known(conversation)
  local participants, count = { list = {}, has = {}, context = conversation.context }, 0
  for _, key in pairs(conversation.participants) do
    count = count + 1
    if type(key) ~= "string" then error "the participants are no list of keys" end
  end
  if count ~= #conversation.participants then error "the participants are no list of keys" end
  for _, key in ipairs(conversation.participants) do
    if is_key(key) and not participants.has[key] then
      participants.has[key] = true
      participants.list[#participants.list + 1] = key
    end
  end
  return participants
end

local conversations = cache.new("conversations", { ttl = 300, size = 20000, load = function(id)
  if id == "." or id == ".." then return nil end         -- no address can name it
  local answer = http.get(http.url(OSIS .. "/api/conversations/{id}", { id = id }),
                          { headers = { authorization = "Bearer " .. KEY } })
  if answer.status == 404 then return nil end
  return known(answer:expect(200):json())
end })

local participant = app:topic("participant:{key}", {
  about     = "What happens in a key holder's conversations.",
  types     = {
    ["chatmessage.new"]      = { about = "There is a new message.", fields = {
      type = "the type", data = "the message, as the app has published it" } },
    ["conversation.updated"] = { about = "A conversation, or who takes part in it, has changed.", fields = {
      type = "the type", data = "the conversation, as the app has published it" } },
  },
  subscribe = false,
  event     = false,
  history   = { size = 256, ttl = 300 },
  wrap      = function(type, data) return { type = type, data = data } end,
  filter    = function(ev, sub, params)                  -- when it goes out, and again when it is sent a second time
    local narrowed = sub.data and sub.data.context
    if narrowed and narrowed ~= ev.meta.context then return false end
    local participants = conversations:get(ev.meta.conversation)
    return participants ~= nil and participants.has[params.key] == true
  end,
})

app:stream("events", {
  path      = "/",
  identity  = holder,
  topics    = function(req, sub) return participant(sub.user) end,
  queue     = { frames = 256 },
  heartbeat = 15,
})

-- The participants of a conversation, or an answer to who publishes: then nobody gets anything.
local function participants_of(id)
  local good, participants = pcall(conversations.get, conversations, id)
  if not good then
    log.warn("participants are not known", { conversation = id, error = tostring(participants) })
    sluice.refuse(503, "participants_unknown", "Who takes part in this conversation is not known now; try again.")
  end
  return participants or sluice.refuse(422, "unknown_conversation", "There is no such conversation.")
end

local function tell(ev, id, context)
  local data, participants = ev:json(), participants_of(id)
  local meta = { conversation = id, context = context or participants.context }
  for _, key in ipairs(participants.list) do participant(key):emit(ev.type, data, { meta = meta }) end
end

local saved   = fields.new { id = "name", participants = "names",  context = "name?" }
local updated = fields.new { id = "name", participants = "names?", context = "name?" }
local message = fields.new { conversation = "name", context = "name?" }

local publish = app:ingest("publish", { path = "/publish", authorize = sluice.bearer(KEY) })

-- What the app has saved or fetched is known from then on.
publish:on({ "conversation.saved", "conversation.fetched" }, function(ev)
  local told = saved:of(ev)
  conversations:set(told.id, known(told))
end)

publish:on("conversation.updated", function(ev)
  local told = updated:of(ev)
  if told.participants then conversations:set(told.id, known(told)) end
  tell(ev, told.id, told.context)
end)

publish:on("chatmessage.new", function(ev)
  local told = message:of(ev)
  tell(ev, told.conversation, told.context)
end)
