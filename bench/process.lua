--- Starts and stops the servers under test, each pinned to a core and ended with this process.
--
-- fork and exec by the FFI rather than a shell's `&`: the child's pid is then the server's own, it is
-- reaped, and the kernel ends it (PR_SET_PDEATHSIG) even when the benchmark is killed.

local ffi = require "ffi"
local bit = require "bit"

ffi.cdef [[
int fork(void);
int execvp(const char *file, const char *const argv[]);
void _exit(int status);
int kill(int pid, int signal);
int waitpid(int pid, int *status, int options);
int prctl(int option, unsigned long argument);
int open(const char *path, int flags, int mode);
int dup2(int from, int to);
int poll(void *fds, unsigned long count, int timeout_ms);
]]

local SIGKILL, SIGTERM, PR_SET_PDEATHSIG, WNOHANG = 9, 15, 1, 1
local O_WRONLY, O_CREAT, O_TRUNC = 1, 64, 512

local process = {}

--- Sleeps.
-- @tparam number seconds
function process.sleep(seconds) ffi.C.poll(nil, 0, seconds * 1000) end

--- A word as the shell reads it back.
function process.quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

--- Runs a command and reads what it prints.
-- @tparam {string,...} words
-- @treturn string|nil stdout; nil if it failed, and then what it said on stderr
function process.read(words)
  local errors = os.tmpname()
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = process.quote(word) end
  local pipe = io.popen(table.concat(quoted, " ") .. " 2>" .. errors .. "; echo \"=$?\"")
  local output = pipe:read "*a"
  pipe:close()
  local file = io.open(errors)
  local said = file:read "*a"
  file:close()
  os.remove(errors)
  local printed, status = output:match "^(.*)=(%d+)\n$"
  if status ~= "0" then return nil, said end
  return printed
end

--- Whether a command is there.
function process.has(command)
  return os.execute("command -v " .. process.quote(command) .. " >/dev/null") == 0
end

--- Starts a server.
-- @tparam {string,...} words its command
-- @tparam string log the file that takes its stdout and stderr
-- @treturn number pid
function process.start(words, log)
  local argv = ffi.new("const char *[?]", #words + 1)
  for i, word in ipairs(words) do argv[i - 1] = word end
  local pid = ffi.C.fork()
  if pid ~= 0 then return pid end
  ffi.C.prctl(PR_SET_PDEATHSIG, SIGTERM)
  local fd = ffi.C.open(log, bit.bor(O_WRONLY, O_CREAT, O_TRUNC), 420)
  ffi.C.dup2(fd, 1)
  ffi.C.dup2(fd, 2)
  ffi.C.execvp(argv[0], argv)
  ffi.C._exit(127)
end

--- Whether a started process still runs; reaps it if not.
function process.alive(pid) return ffi.C.waitpid(pid, nil, WNOHANG) == 0 end

--- Ends a started process: TERM, and after five seconds KILL.
function process.stop(pid)
  ffi.C.kill(pid, SIGTERM)
  for _ = 1, 500 do
    if not process.alive(pid) then return end
    process.sleep(0.01)
  end
  ffi.C.kill(pid, SIGKILL)
  ffi.C.waitpid(pid, nil, 0)
end

--- Waits until a port of 127.0.0.1 accepts connections.
-- @treturn boolean false when the process ended before, or after ten seconds
function process.await_port(pid, port)
  for _ = 1, 200 do
    if not process.alive(pid) then return false end
    if os.execute("bash -c '</dev/tcp/127.0.0.1/" .. port .. "' 2>/dev/null") == 0 then return true end
    process.sleep(0.05)
  end
  return false
end

return process
