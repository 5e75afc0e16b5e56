--- What app:presence(topic) gives: which users a topic has, and a page's word that it is alive.

local core = require "sluice.core"
local fail = require "sluice.fail"

local Presence = {}

local names = { "list", "count", "online", "beat" }

local parts = setmetatable({}, { __mode = "k" })  -- presence -> { topic =, beats = }

local function text(what, value)
  if type(value) == "string" and value ~= "" then return value end
  fail.raise("presence:%s: expected a user, got %s", what, fail.show(value))
end

-- Where nodes share a Redis, who is there stands in that.
local function ask(what, ...)
  core.presence_ask(what, ...)
  local value, code, sentence = core.collect()
  if code then fail.raise("presence:%s: %s: %s", what, code, sentence) end
  return value
end

--- The users who are there, sorted. Where nodes share a Redis, this and what follows suspend the handler until the
-- answer is there, which is for all nodes, and raise if there is none.
function Presence:list()
  local topic = parts[self].topic
  if not core.presence_shared() then return core.presence_list(topic) end
  local users = ask("list", topic)
  table.sort(users)
  return users
end

--- How many.
function Presence:count()
  local topic = parts[self].topic
  if not core.presence_shared() then return core.presence_count(topic) end
  return ask("count", topic)
end

--- Is this user there?
function Presence:online(user)
  local topic = parts[self].topic
  if not core.presence_shared() then return core.presence_online(topic, text("online", user)) end
  return ask("online", topic, text("online", user)) == 1
end

--- A page of the user's is alive: it is there for the `beat` seconds that come. Its stream may be on another node.
-- @param tag the page's own; then it counts only while that tab has the topic
-- @return did it count? Not without a subscriber of the topic.
function Presence:beat(user, tag)
  local own = parts[self]
  if not own.beats then
    fail.raise("presence:beat: the topic '%s' is declared without beats: presence = { beat = seconds }", own.topic)
  end
  if tag ~= nil and type(tag) ~= "string" then
    fail.raise("presence:beat: a tag is %s, expected a text", fail.show(tag))
  end
  local counts = core.presence_beat(own.topic, text("beat", user), tag)
  if counts ~= nil then return counts end
  return ask("beat", own.topic, user, tag) == 1
end

local meta = {
  __index = function(_, name)
    return Presence[name] or fail.raise("a presence has no '%s'%s", tostring(name), fail.hint(name, names))
  end,
  __metatable = "presence",
}

local presence = {}

--- @param topic a handle with its values, or a topic's name
function presence.of(topic)
  if core.is_topic(topic) then
    fail.raise "app:presence: this is a whole kind of topics; give it its values: topic(value)"
  end
  local name, declared, beats = core.has_presence(topic)
  if not name then fail.raise("app:presence: expected a topic, got %s", fail.show(topic)) end
  if not declared then fail.raise("app:presence: no app:topic declares '%s' with presence", name) end
  local self = setmetatable({}, meta)
  parts[self] = { topic = name, beats = beats }
  return self
end

return presence
