--- Programs under test: started with arguments and environment, their output in a file, dead at the spec's end.

local ffi    = require "ffi"
local fcntl  = require "posix.fcntl"
local signal = require "posix.signal"
local stdlib = require "posix.stdlib"
local unistd = require "posix.unistd"
local wait   = require "spec.support.wait"
local wait4  = require "posix.sys.wait"

pcall(ffi.cdef, "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);")
local PR_SET_PDEATHSIG = 1

local proc    = {}
local process = {}
process.__index = process

local running = {}

local function exec(command, options, output)
  ffi.C.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
  signal.signal(signal.SIGPIPE, signal.SIG_DFL)
  unistd.setpid("p", 0, 0)
  for name, value in pairs(options.env or {}) do
    stdlib.setenv(name, value or nil)
  end
  if options.cwd then assert(unistd.chdir(options.cwd)) end
  unistd.dup2(assert(fcntl.open("/dev/null", fcntl.O_RDONLY)), 0)
  unistd.dup2(output, 1)
  unistd.dup2(output, 2)
  local _, message = unistd.execp(command[1], { unpack(command, 2) })
  io.stderr:write(command[1], ": ", message, "\n")
  unistd._exit(127)
end

--- Starts `command`, a list of words. `options`: `env` (false unsets), `cwd`, `output` (a file; else a temporary one).
-- It leads a process group of its own and is killed when this process dies.
function proc.spawn(command, options)
  options = options or {}
  local path = options.output or os.tmpname()
  local output = assert(fcntl.open(path, fcntl.O_WRONLY + fcntl.O_CREAT + fcntl.O_APPEND + fcntl.O_CLOEXEC, 384))
  local pid = assert(unistd.fork())
  if pid == 0 then
    pcall(exec, command, options, output)
    unistd._exit(127)
  end
  unistd.close(output)
  local self = setmetatable({ pid = pid, name = command[1], _path = path, _temporary = not options.output }, process)
  self._file, self._text = assert(io.open(path, "rb")), ""
  running[self] = true
  return self
end

--- Kills what a spec left running.
function proc.kill_all()
  for self in pairs(running) do self:kill() end
end

--- All that it wrote so far, to stdout and stderr.
function process:output()
  if self._file then
    self._file:seek("cur", 0)
    self._text = self._text .. (self._file:read "*a" or "")
  end
  return self._text
end

--- The first line of the output that matches `pattern`, waiting for it; returns the captures, or the line.
function process:wait_line(pattern, timeout)
  local found
  wait.wait_until(function()
    for line in self:output():gmatch "([^\n]*)\n" do
      if line:find(pattern) then
        found = { line:match(pattern) }
        return true
      end
    end
    return not self:alive()
  end, timeout or 5, "a line with " .. pattern .. " of " .. self.name)
  if not found then error(("%s ended before a line with %s:\n%s"):format(self.name, pattern, self:output()), 2) end
  return unpack(found)
end

--- True while it runs; afterwards `exit_code` or `exit_signal` is set.
function process:alive()
  if not running[self] then return false end
  local pid, how, status = wait4.wait(self.pid, wait4.WNOHANG)
  if pid == 0 then return true end
  if how == "exited" then self.exit_code = status else self.exit_signal = status or -1 end
  running[self] = nil
  self:output()
  self._file:close()
  self._file = nil
  if self._temporary then os.remove(self._path) end
  return false
end

--- Sends a signal by its name, such as "TERM".
function process:signal(name)
  if self:alive() then signal.kill(self.pid, signal["SIG" .. name]) end
end

--- Waits for its end; returns the exit code, or nil and the signal that killed it.
function process:wait(timeout)
  wait.wait_until(function() return not self:alive() end, timeout or 5, self.name .. " to end")
  return self.exit_code, self.exit_signal
end

--- Kills it and whatever it started, and waits.
function process:kill()
  if self:alive() then
    signal.kill(-self.pid, signal.SIGKILL)
    self:wait()
  end
end

return proc
