--- app:every(name, { period = seconds, run = function() ... end }): work that comes round. A beat that is still
-- running when it is due again is skipped.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local SHAPE = {
  period = { "seconds", required = "seconds", min = 0.01, max = 604800 },
  run    = { "function", required = "a function()" },
}

return function(_, name, options)
  local what    = ("app:every %s"):format(fail.show(name))
  name          = schema.name("app:every", name)
  local checked = schema.check(what, options, SHAPE)
  core.every {
    name   = name,
    place  = core.place(),
    period = checked.period or 1,
    run    = schema.hook(checked.run, "every " .. name),
  }
end
