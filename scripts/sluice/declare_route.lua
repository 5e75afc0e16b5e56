--- app:route(name, "POST /threads/{peer}/open", options): an HTTP endpoint.

local core   = require "sluice.core"
local described = require "sluice.described"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local METHODS = { "GET", "POST", "PUT", "PATCH", "DELETE" }

local SHAPE = {
  about    = { "prose" },
  run      = { "function", required = "a function(req, params) that returns an answer" },
  identity = { "identity" },
  origins  = { "list", of = "text", default = {} },
  rate     = { "table" },                                     -- see schema.rate
}

local function read_where(what, where)
  local method, path = tostring(where):match "^(%a+) (/%S*)$"
  if not method then
    fail.fault("%s: expected a method and a path such as \"POST /threads/{peer}/open\", got %s", what, fail.show(where))
    return "GET", "/"
  end
  for _, known in ipairs(METHODS) do
    if method == known then return method, path end
  end
  fail.fault("%s: unknown method '%s'; there are: %s", what, method, table.concat(METHODS, ", "))
  return "GET", path
end

return function(_, name, where, options)
  local what = ("app:route %s"):format(fail.show(name))
  name       = schema.name("app:route", name)
  local method, path = read_where(what, where)
  local checked      = schema.check(what, options, SHAPE)
  described.add("route", { name = name, method = method, path = path, options = checked })
  local fields       = {
    name     = name,
    method   = method,
    path     = path,
    place    = core.place(),
    identity = schema.identity(checked.identity, "route " .. name),
    run      = schema.hook(checked.run, "route " .. name),
    origins  = checked.origins,
  }
  schema.add(fields, schema.endpoint_rate(what, checked.rate, checked.identity))
  local route, why = core.route(fields)
  if not route then fail.fault("%s: %s", what, why) end
end
