--- The one poll loop of the end-to-end specs. Everything that waits, waits here, so that a hundred
-- clients and scripted upstreams go on while a spec waits for one of them.

local errno = require "posix.errno"
local poll  = require "posix.poll"
local time  = require "posix.time"

local wait = {}

-- Where the programs under test are slowed down (valgrind, a sanitizer), every time-out is longer.
wait.patience = tonumber(os.getenv "SLUICE_PATIENCE") or 1

local STEP_MS  = 10       -- how often a condition that no descriptor announces is looked at
local watched  = {}       -- fd -> { events, revents }: posix.poll's own table
local handlers = {}       -- fd -> { readable, writable }
local due      = {}       -- { at, call }, in the order in which they were asked for
local stories  = {}       -- functions that say what may explain a time-out, such as a server's log

--- Seconds of the monotonic clock.
function wait.now()
  local at = time.clock_gettime(time.CLOCK_MONOTONIC)
  return at.tv_sec + at.tv_nsec / 1e9
end

--- From now on turns call `on.readable()` and `on.writable()`, where given, when `fd` is.
function wait.watch(fd, on)
  handlers[fd] = on
  watched[fd] = { events = { IN = on.readable ~= nil, OUT = on.writable ~= nil } }
end

function wait.forget(fd)
  handlers[fd], watched[fd] = nil, nil
end

--- The first turn that ends in `seconds` or later calls `call()`, behind those that were asked for before and are due.
function wait.after(seconds, call) table.insert(due, { at = wait.now() + seconds, call = call }) end

local function call_due()
  local now, at = wait.now(), 1
  while due[at] do
    if due[at].at <= now then table.remove(due, at).call() else at = at + 1 end
  end
end

--- One turn: waits up to `ms` for a descriptor to be ready, then calls what waits for it.
function wait.turn(ms)
  local count, message, code = poll.poll(watched, ms)
  call_due()
  if not count and code ~= errno.EINTR then error("poll: " .. message) end
  if not count or count == 0 then return end -- then the table says what the last poll found
  local ready = {}
  for fd, entry in pairs(watched) do
    local now = entry.revents
    if now and (now.IN or now.OUT or now.HUP or now.ERR) then ready[#ready + 1] = { fd, now, handlers[fd] } end
  end
  for _, item in ipairs(ready) do
    local fd, now, on = item[1], item[2], item[3]
    if handlers[fd] == on and on.readable and (now.IN or now.HUP or now.ERR) then on.readable() end
    if handlers[fd] == on and on.writable and (now.OUT or now.HUP or now.ERR) then on.writable() end
    -- Nobody looks at what has ended: it would end each turn at once, until somebody watches it again.
    if handlers[fd] == on and not on.readable and not on.writable then watched[fd] = nil end
  end
end

--- `tell()` returns text that goes into the message of every wait that times out.
function wait.explain_with(tell) stories[tell] = true end
function wait.explain_no_more(tell) stories[tell] = nil end

--- Waits until `condition()` is true and returns what it returned; raises after `timeout` seconds (2) with
-- `what`, the thing that did not come.
function wait.wait_until(condition, timeout, what)
  timeout = (timeout or 2) * wait.patience
  local deadline = wait.now() + timeout
  while true do
    local result = condition()
    if result then return result end
    local left = deadline - wait.now()
    if left <= 0 then break end
    wait.turn(math.min(STEP_MS, math.ceil(left * 1000)))
  end
  local message = { ("waited %gs for %s"):format(timeout, what or "a condition") }
  for tell in pairs(stories) do message[#message + 1] = tell() end
  error(table.concat(message, "\n"), 2)
end

--- Waits like wait_until and calls `step(number)` ten times a second meanwhile, with the numbers behind `last`; returns
-- the last one.
function wait.meanwhile(last, step, condition, timeout, what)
  local next_at = 0
  wait.wait_until(function()
    if wait.now() >= next_at then
      last, next_at = last + 1, wait.now() + 0.1
      step(last)
    end
    return condition()
  end, timeout, what)
  return last
end

--- Lets `seconds` pass while everything goes on; for "and nothing else comes".
function wait.pass(seconds)
  local deadline = wait.now() + seconds
  repeat wait.turn(STEP_MS) until wait.now() >= deadline
end

return wait
