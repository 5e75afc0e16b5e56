--- app:limit(name, { rate = 5, seconds = 60, burst = 5 }): how often something may happen, for each key of the rule's
-- choice. Returns the limit: `sends:take(user)`. What was taken outlives reloads.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local KEY_MAX = 1024 -- bytes

local Limit = {}
Limit.__metatable = "limit"
Limit.__index = function(_, name)
  return Limit[name] or fail.raise("a limit has no '%s'; it has: take", tostring(name))
end

local settings = setmetatable({}, { __mode = "k" })
local declared = {} -- name -> place

--- Takes one of the key's tokens: true. None left: false, and the seconds until there is one.
-- @param key a text or number; without: one for all
function Limit.take(self, key)
  local own = settings[self] or fail.raise "limit:take is called with a colon, not with a dot"
  local text = key == nil and "" or key
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" or #text > KEY_MAX then
    fail.raise("limit:take: expected a key, a text of at most %d bytes, got %s", KEY_MAX, fail.show(key))
  end
  return core.limit_take(own.name, text, own.rate, own.burst, own.seconds)
end

return function(_, name, options)
  local what = ("app:limit %s"):format(fail.show(name))
  name       = schema.name("app:limit", name)
  if declared[name] then fail.fault("%s: there is one of this name already, at %s", what, declared[name]) end
  declared[name] = core.place()
  local limit = setmetatable({}, Limit)
  settings[limit] = schema.rate(what, options or {}, true)
  settings[limit].name = name
  return limit
end
