--- sluice.time: the time, and waiting.

local core = require "sluice.core"
local fail = require "sluice.fail"

local time = {}

--- Seconds since 1970, with milliseconds.
function time.now() return core.now() end

--- Seconds that never jump; only differences mean something.
function time.monotonic() return core.monotonic() end

--- Suspends the handler for some seconds; others go on. Counts against the handler's deadline.
function time.sleep(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds <= 86400) then
    fail.raise("time.sleep: expected seconds from 0 to 86400, got %s", fail.show(seconds))
  end
  core.sleep(seconds)
  core.collect()
end

return fail.strict("sluice.time", time)
