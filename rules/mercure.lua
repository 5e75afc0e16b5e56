-- rules/mercure.lua: a hub of the Mercure protocol (draft-dunglas-mercure-07), for clients as they are: who has a
-- token may publish what its claim names, everybody hears what the selectors name that were asked for, and of private
-- updates only what the token's claim names, too. See docs/mercure.md.
local sluice       = require "sluice"
local json         = require "sluice.json"
local jwt          = require "sluice.jwt"
local log          = require "sluice.log"
local store        = require "sluice.store"
local time         = require "sluice.time"
local uri_template = require "sluice.uri_template"

local app = sluice.app "mercure"
local HUB = "/.well-known/mercure"

local function flag(name) return ({ ["1"] = true, ["true"] = true, on = true })[sluice.env(name, "")] or false end

local function words(name)
  local list = {}
  for word in sluice.env(name, ""):gmatch "[^%s,]+" do list[#list + 1] = word end
  return list
end

local function keys(who)
  return jwt.keys { { alg = sluice.env(who .. "_JWT_ALG", "HS256"), key = sluice.env(who .. "_JWT_KEY") } }
end

local PUBLISHERS      = keys "MERCURE_PUBLISHER"
local SUBSCRIBERS     = keys "MERCURE_SUBSCRIBER"
local ANONYMOUS       = flag "MERCURE_ANONYMOUS"       -- who has no token hears what is public
local SUBSCRIPTIONS   = flag "MERCURE_SUBSCRIPTIONS"   -- who hears what is told, and may be asked
local CORS_ORIGINS    = words "MERCURE_CORS_ORIGINS"
local PUBLISH_ORIGINS = words "MERCURE_PUBLISH_ORIGINS"
local COOKIE          = sluice.env("MERCURE_COOKIE_NAME", "mercureAuthorization")
local HISTORY         = tonumber(sluice.env("MERCURE_HISTORY_SIZE", "1000"))
local HISTORY_TTL     = tonumber(sluice.env("MERCURE_HISTORY_TTL", "3600"))

-- As the protocol calls it, as it did before, as a widespread polyfill does.
local LAST_EVENT_ID   = { "lastEventID", "Last-Event-ID", "lastEventId" }

local FOR_EVER        = 253402300799 -- the end of the year 9999
local DATA_MAX        = 4096 -- bytes of all that is kept of a subscriber, as JSON
local SELECTORS_MAX   = 100  -- of one subscriber
local EXPRESSIONS_MAX = 64   -- of all of them
local CLASSES_MAX     = 32 * 1024 * 1024 -- bytes, roughly, of selectors that are kept made
local TOPICS_MAX      = 4096 -- bytes of an update's topics together

-- Selectors: a topic, a URI template, "*".

local function selectors(list)
  local made = { exact = {}, templates = {}, count = 0, expressions = 0, size = 500 }
  for i, text in ipairs(list or {}) do
    made.exact[text] = true
    made.count, made.size = i, made.size + 500 + #text
    local template = text:find("{", 1, true) and uri_template.new(text) -- what is none is a topic like any other
    if template then
      made.templates[#made.templates + 1] = template
      made.expressions = made.expressions + template.expressions
    end
  end
  return made
end

local function has(made, topic)
  if made.exact["*"] or made.exact[topic] then return true end
  for _, template in ipairs(made.templates) do
    if template:match(topic) then return true end
  end
  return false
end

local function has_any(made, topics)
  for _, topic in ipairs(topics) do
    if has(made, topic) then return true end
  end
  return false
end

local function has_every(made, topics)
  for _, topic in ipairs(topics) do
    if not has(made, topic) then return false end
  end
  return true
end

-- Tokens: in the header, else in the query, else in the cookie.

local function token_of(req)
  if req.headers.authorization then return jwt.bearer(req) or "" end
  return req.query.authorization or jwt.bearer(req, { cookie = COOKIE })
end

local function texts(value)
  if type(value) ~= "table" then return nil end
  local list = {}
  for i, text in ipairs(value) do
    if type(text) ~= "string" then return nil end
    list[i] = text
  end
  return list
end

-- The claim, and all claims; without a token nothing; nil, true: it is no good one.
local function claim_of(req, trusted)
  local token = token_of(req)
  if not token then return nil end
  local claims, code = jwt.verify(token, { keys = trusted, aud = false })
  if not claims then
    log.debug("token refused", { code = code })
    return nil, true
  end
  local claim = claims["https://mercure.rocks/"] or claims.mercure
  return type(claim) == "table" and claim or {}, claims
end

-- The token's own name for whom it was given to, if there is one, and how long.
local function identity_of(claims, data)
  local sub, exp = claims.sub, claims.exp
  return {
    user    = type(sub) == "string" and sub ~= "" and sub,
    data    = data,
    expires = type(exp) == "number" and math.min(exp, FOR_EVER) or nil,
  }
end

-- Too much to be kept: whoever made that token, or asked for that.
local function is_large(data)
  local good, text = pcall(json.encode, data)
  return not good or #text > DATA_MAX
end

-- Whose token's claim has a list of selectors there: `req.data.selectors`.
local function holder(trusted, field)
  return sluice.identity(function(req)
    local claim, claims = claim_of(req, trusted)
    local data = { selectors = claim and texts(claim[field]) }
    if not data.selectors then return nil end
    if is_large(data) then return nil, "bad_request" end
    return identity_of(claims, data)
  end)
end

-- What is told of, and to whom.

local classes, classes_size = {}, 0 -- what is kept of a subscriber -> its selectors, and a verdict

local function class_of(data)
  local class = classes[data]
  if class then return class end
  class = { topics = selectors(data.topics), private = selectors(data.subscribe) }
  local size = class.topics.size + class.private.size
  if classes_size + size > CLASSES_MAX then classes, classes_size = {}, 0 end -- what is still needed is made again
  classes[data], classes_size = class, classes_size + size
  return class
end

local newest = {} -- the update that was looked at last: `of` meta, its topics, whether it is private

local function may_have(meta, data)
  if newest.of ~= meta then newest = { of = meta, topics = json.copy(meta.topics), private = meta.private } end
  local class = class_of(data)
  if class.newest ~= newest then -- subscribers who asked for the same have one class, and one verdict
    class.newest  = newest
    class.verdict = has_any(class.topics, newest.topics) and
                    (not newest.private or has_any(class.private, newest.topics))
  end
  return class.verdict and (not SUBSCRIPTIONS or data.id == nil or data.id ~= meta.of)
end

local updates = app:topic("updates", {
  id        = "publisher",
  subscribe = false,                                     -- ?topic= are selectors
  history   = { size = HISTORY, ttl = HISTORY_TTL },
  filter    = function(ev, sub) return may_have(ev.meta, sub.data) end,
})

local function urn()
  local a, b, c, d, e = sluice.token():match "^(%x%x%x%x%x%x%x%x)(%x%x%x%x)%x(%x%x%x)%x(%x%x%x)(%x+)$"
  return ("urn:uuid:%s-%s-4%s-a%s-%s"):format(a, b, c, d, e)
end

local function publish(update, type, data, id, retry)
  id = id or urn()
  updates():emit(type, data, { id = id, retry = retry, meta = update, tag = false })
  store.set("last", id)                                  -- for the subscriptions' lastEventID
  return id
end

-- Subscribing.

-- Who is nobody to us may still be let in; its own name, if it has one, is the token's `sub`.
local subscriber = sluice.identity(function(req)
  local claim, claims = claim_of(req, SUBSCRIBERS)
  if not claim and (claims or not ANONYMOUS) then return nil end
  local topics = req:query_all "topic"
  if #topics == 0 then return nil, "bad_request" end
  local data = {
    topics    = topics,
    subscribe = claim and texts(claim.subscribe),
    payload   = SUBSCRIPTIONS and claim and claim.payload or nil,
    id        = SUBSCRIPTIONS and urn() or nil,
  }
  if is_large(data) then return nil, "bad_request" end
  local wanted, private = selectors(topics), selectors(data.subscribe)
  if wanted.count + private.count > SELECTORS_MAX or wanted.expressions + private.expressions > EXPRESSIONS_MAX then
    return nil, "bad_request"
  end
  return identity_of(claims or {}, data)
end)

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

local function subscription(data, topic, active)
  return {
    id         = ("%s/subscriptions/%s/%s"):format(HUB, escape(topic), escape(data.id)),
    type       = "Subscription",
    subscriber = data.id,
    topic      = topic,
    active     = active,
    payload    = data.payload,
  }
end

-- Tells of a subscriber's coming or going whoever may know.
local function tell(sub, active)
  local data = sub.data
  if not (data and data.id) then return end              -- it came when this was not told yet
  for _, topic in ipairs(data.topics) do
    local about = subscription(data, topic, active)
    about["@context"] = "https://mercure.rocks/"
    publish({ topics = { about.id }, private = true, of = data.id }, "message", about)
  end
end

app:stream("updates", {
  path       = HUB,
  identity   = subscriber,
  topics     = function() return updates() end,
  query      = { topic = false, last_event_id = LAST_EVENT_ID },
  ready      = "header",
  earliest   = true,
  replay     = HISTORY,
  suppress   = false,
  origins    = CORS_ORIGINS,
  connect    = SUBSCRIPTIONS and function(sub) tell(sub, true) end or nil,
  disconnect = SUBSCRIPTIONS and function(sub) tell(sub, false) end or nil,
})

-- Publishing.

local function refuse(status, text) return { status = status, text = text .. "\n" } end

local function breaks(text) return text:find "[%z\r\n]" ~= nil end

-- What is wrong with it, as an answer; nil: nothing.
local function fault(topics, form)
  if #topics == 0 then return refuse(400, 'Missing "topic" parameter') end
  if #table.concat(topics) > TOPICS_MAX then return refuse(400, "The topics are too long") end
  for _, topic in ipairs(topics) do
    if topic:find(HUB, 1, true) then return refuse(403, "The hub's own topics cannot be published") end
    if topic == "" then return refuse(400, 'Invalid "topic" parameter') end
  end
  if (form.retry or "") ~= "" and not form.retry:find "^%d+$" then return refuse(400, 'Invalid "retry" parameter') end
  local id, type = form.id or "", form.type or ""
  if breaks(id) or #id > 256 or id:find "^#" or id == "earliest" then return refuse(400, 'Invalid "id" parameter') end
  if breaks(type) or #type > 256 then return refuse(400, 'Invalid "type" parameter') end
end

local function given(text) return text ~= "" and text or nil end

local publisher = holder(PUBLISHERS, "publish")

app:route("publish", "POST " .. HUB, { identity = publisher, origins = PUBLISH_ORIGINS, run = function(req)
  local is_form = (req.headers["content-type"] or ""):lower():find "^%s*application/x%-www%-form%-urlencoded"
  local topics  = is_form and req:form_all "topic" or {}
  local form    = is_form and req:form() or {}
  local wrong   = fault(topics, form)
  if wrong then return wrong end
  if not has_every(selectors(req.data.selectors), topics) then return refuse(401, "Unauthorized") end
  local retry = math.min((tonumber(form.retry) or 0) / 1000, 86400)
  local id = publish({ topics = topics, private = form.private ~= nil }, given(form.type) or "message", form.data or "",
                     given(form.id), retry > 0 and retry or nil)
  return { status = 200, text = id }
end })

-- Who hears what: for whoever may hear of it.

-- An answer of JSON-LD, or what it is refused with.
local function answer(req, path, make)
  if not has(selectors(req.data.selectors), path) then return refuse(401, "Unauthorized") end
  local last = store.get "last" or "earliest"
  local tag  = '"' .. escape(last) .. '"'
  if req.headers["if-none-match"] == tag then return { status = 304, headers = { etag = tag } } end
  local text = make(last)
  if not text then return refuse(404, "Not Found") end
  return { headers = { ["content-type"] = "application/ld+json", etag = tag }, body = text }
end

-- All of them; of one topic; of one subscriber. Many are put together with waits, for it may take long.
local function subscriptions(topic, id)
  local list = {}
  for i, sub in ipairs(app:subscribers()) do
    local data = sub.data
    for _, selector in ipairs(data and data.id and (not id or id == data.id) and data.topics or {}) do
      if not topic or topic == selector then list[#list + 1] = subscription(data, selector, true) end
    end
    if i % 200 == 0 then time.sleep(0.001) end
  end
  return list
end

local function collection(path, topic)
  return function(last)
    local list = {}
    for i, about in ipairs(subscriptions(topic)) do
      list[i] = json.encode(about)
      if i % 200 == 0 then time.sleep(0.001) end
    end
    local head = { ["@context"] = "https://mercure.rocks/", id = path, type = "Subscriptions", lastEventID = last }
    return json.encode(head):sub(1, -2) .. ',"subscriptions":[' .. table.concat(list, ",") .. "]}"
  end
end

if SUBSCRIPTIONS then
  local ALL    = HUB .. "/subscriptions"
  local reader = holder(SUBSCRIBERS, "subscribe")

  local function show(name, path, run)
    app:route(name, "GET " .. ALL .. path, { identity = reader, origins = CORS_ORIGINS, run = run })
  end

  show("subscriptions", "", function(req) return answer(req, ALL, collection(ALL)) end)

  show("of-topic", "/{topic}", function(req, params)
    local path = ALL .. "/" .. escape(params.topic)
    return answer(req, path, collection(path, params.topic))
  end)

  show("subscription", "/{topic}/{subscriber}", function(req, params)
    local path = ("%s/%s/%s"):format(ALL, escape(params.topic), escape(params.subscriber))
    return answer(req, path, function(last)
      local about = subscriptions(params.topic, params.subscriber)[1]
      if not about then return nil end
      about["@context"], about.lastEventID = "https://mercure.rocks/", last
      return json.encode(about)
    end)
  end)
end
