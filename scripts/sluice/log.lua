--- sluice.log: lines in the server's log: fixed words, and named values.
-- `log.info("thread opened", { user = user, peer = peer })`

local core = require "sluice.core"
local fail = require "sluice.fail"

local log = {}

local function level(name)
  return function(message, values)
    if type(message) ~= "string" then fail.raise("log.%s: expected a text, got %s", name, fail.show(message)) end
    if values ~= nil and type(values) ~= "table" then
      fail.raise("log.%s: expected named values, { user = ... }, got %s", name, fail.show(values))
    end
    core.log(name, message, values)
  end
end

--- Each: (message, values): the message in fixed words, at most 15 values.
log.error = level "error"
log.warn  = level "warn"
log.info  = level "info"
log.debug = level "debug"

return fail.strict("sluice.log", log)
