--- Topics that are one user's alone. Who declares a topic can see that it is one: such a `subscribe` is known again.

local fail = require "sluice.fail"

local owner = {}

local known = setmetatable({}, { __mode = "k" })

--- See sluice.owner.
function owner.new(param)
  if type(param) ~= "string" then
    fail.raise("sluice.owner: expected the name of a parameter, got %s", fail.show(param))
  end
  local function subscribe(sub, params)
    local user = params[param]
    if user == nil then error(("sluice.owner: the topic has no parameter {%s}"):format(param), 0) end
    return sub.user ~= nil and sub.user == user
  end
  known[subscribe] = param
  return subscribe
end

--- The parameter that names the user, if this was made by owner.new; else nil.
function owner.param(subscribe)
  return type(subscribe) == "function" and known[subscribe] or nil
end

--- Was this made by owner.new?
function owner.made(subscribe) return owner.param(subscribe) ~= nil end

return owner
