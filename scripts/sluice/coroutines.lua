--- The coroutine library of rule files: a call that waits inside a rule's own coroutine suspends the whole
-- task, through every coroutine in between, and goes on where it stood.

local core = require "sluice.core"

local PARK = core.park_mark
local resume, yield, create = coroutine.resume, coroutine.yield, coroutine.create

local waiting = setmetatable({}, { __mode = "k" })

local function pass(co, ok, first, ...)
  if not ok or first ~= PARK then return ok, first, ... end
  waiting[co] = true
  yield(PARK)
  waiting[co] = nil
  return pass(co, resume(co))
end

local function raise(ok, ...)
  if ok then return ... end
  error((...), 0)
end

local coroutines = { create = create, status = coroutine.status, running = coroutine.running }

function coroutines.resume(co, ...)
  if waiting[co] then return false, "cannot resume a coroutine that waits" end
  return pass(co, resume(co, ...))
end

function coroutines.wrap(run)
  local co = create(run)
  return function(...) return raise(coroutines.resume(co, ...)) end
end

function coroutines.yield(...)
  if core.at_top() then error(core.place() .. ": coroutine.yield outside a coroutine of the rule's own", 0) end
  return yield(...)
end

return coroutines
