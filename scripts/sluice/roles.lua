--- Roles, each with all that those below it may: sluice.roles { "viewer", "editor", "admin" }.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local roles = {}

local Roles = {}

local function words(list)
  local seen = {}
  for _, name in ipairs(list) do
    if type(name) ~= "string" or name == "" or seen[name] then return nil end
    seen[name] = true
  end
  for key in pairs(list) do
    if type(key) ~= "number" then return nil end
  end
  return #list > 0
end

--- An identity that lets in who `identity` says has this role or a higher one. Who is nobody is asked to sign in
-- (401); who is somebody with a lower role, an unknown one or none, is forbidden (403).
-- @param role one of the names
-- @param identity what sluice.identity gives, or a function(req); its `data.role` says the role
function Roles:at_least(role, identity)
  core.declaring "roles:at_least"
  local needed = self.ranks[role]
  if not needed then
    fail.raise("roles:at_least: expected one of %s, got %s%s", table.concat(self.names, ", "), fail.show(role),
      fail.hint(role, self.names))
  end
  local who_is_it, place = schema.identity_function(identity)
  if not who_is_it then
    fail.raise("roles:at_least: expected what sluice.identity gives, or a function(req), got %s", fail.show(identity))
  end
  local ranks = self.ranks
  local function at_least(req)
    local who, why = who_is_it(req)
    if not who or type(who) ~= "table" then return who, why end
    local data = type(who.data) == "table" and who.data or {}
    local rank = type(data.role) == "string" and ranks[data.role]
    if not rank or rank < needed then return nil, "forbidden" end
    return who
  end
  local what = ("identity %s (%s at least)"):format(place or core.place(), role)
  local made = schema.new_identity(at_least, what, who_is_it)
  made.role = role
  return made
end

Roles.__index = function(_, name)
  return rawget(Roles, name) or fail.raise("roles have no '%s'%s", tostring(name), fail.hint(name, { "at_least" }))
end
Roles.__metatable = "roles"

--- See sluice.roles.
function roles.new(names)
  core.declaring "sluice.roles"
  if type(names) ~= "table" or not words(names) then
    fail.raise("sluice.roles: expected a list of different names, the lowest role first, got %s", fail.show(names))
  end
  local self = { names = {}, ranks = {} }
  for rank, name in ipairs(names) do
    self.names[rank], self.ranks[name] = name, rank
  end
  return setmetatable(self, Roles)
end

return roles
