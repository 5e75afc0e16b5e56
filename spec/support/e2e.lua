--- The real binary for a spec: written config and rules, started, watched, ended. Requiring this module makes
-- every test of the file end with: each server stops on TERM with exit code 0, and its log has no error line
-- and no sanitizer's report.
--
--   local server = e2e.server { rules = [[ local app = require("sluice").app "a" ... ]] }
--   local tab    = sse.open(server.address, { path = "/events" })

local busted = require "busted"
local stat   = require "posix.sys.stat"
local stdlib = require "posix.stdlib"
local unistd = require "posix.unistd"
local http   = require "spec.support.http"
local proc   = require "spec.support.proc"
local tcp    = require "spec.support.tcp"
local wait   = require "spec.support.wait"

local e2e    = { root = unistd.getcwd() }
e2e.binary   = ("%s/%s/sluice"):format(e2e.root, os.getenv "SLUICE_BUILD" or "build")

--- Under a sanitizer or valgrind: the size of the process says nothing, and starting it is slow.
e2e.instrumented = e2e.binary:find "/asan/" ~= nil or (os.getenv "SLUICE_WRAP" or "") ~= ""

local server = {}
server.__index = server

local servers, folders = {}, {}

--- A temporary folder that is gone after the test.
function e2e.folder()
  local path = assert(stdlib.mkdtemp "/tmp/sluice-spec-XXXXXX")
  table.insert(folders, path)
  return path
end

--- Writes a file, in a folder that exists.
function e2e.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

--- The binary, or another, with its wrapper (SLUICE_WRAP: the words before it, valgrind and its options) and
-- `arguments`.
function e2e.command(arguments, binary)
  local words = {}
  for word in (os.getenv "SLUICE_WRAP" or ""):gmatch "%S+" do words[#words + 1] = word end
  words[#words + 1] = binary or e2e.binary
  for _, word in ipairs(arguments) do words[#words + 1] = word end
  return words
end

-- What reaches the specs' own process under a sanitizer is not for the programs that it starts.
function e2e.environment(extra)
  local env = {
    LD_PRELOAD = false,
    ASAN_OPTIONS = "detect_leaks=1:exitcode=99",
    UBSAN_OPTIONS = "print_stacktrace=1:halt_on_error=1:exitcode=99",
    LSAN_OPTIONS = "suppressions=" .. e2e.root .. "/spec/lsan.supp:print_suppressions=0",
  }
  for name, value in pairs(extra or {}) do env[name] = value end
  return env
end

-- The words of `command` behind those of `prefix`, if there are any.
local function prefixed(prefix, command)
  local words = {}
  for _, list in ipairs { prefix or {}, command } do
    for _, word in ipairs(list) do words[#words + 1] = word end
  end
  return words
end

--- Runs the binary to its end; returns the exit code and what it wrote. `options`: `env`, `cwd`, `timeout`, `under`
-- (the words of a command that starts it), `binary` (another one).
function e2e.run(arguments, options)
  options = options or {}
  local command = prefixed(options.under, e2e.command(arguments, options.binary))
  local process = proc.spawn(command, { env = e2e.environment(options.env), cwd = options.cwd })
  local code = process:wait(options.timeout or 10)
  return code, process:output()
end

-- `rules`: the text of one rule file; a path from the project's root; or a table of both, by file name.
local function write_rules(folder, rules)
  if type(rules) == "string" then rules = { ["app.lua"] = rules } end
  stat.mkdir(folder .. "/rules")
  local list = {}
  for name, text in pairs(rules or {}) do
    local path = folder .. "/rules/" .. name
    if text:find "\n" or not text:find "%.lua$" then e2e.write(path, text) else path = e2e.root .. "/" .. text end
    list[#list + 1] = ("%q"):format(path)
  end
  table.sort(list)
  return ("rules = { %s }\n"):format(table.concat(list, ", "))
end

--- Starts a server. `options`: `rules` (above), `conf` (lines of the config; `listen`, `admin` and `rules` are
-- added where they are not in it: port 0 of the loopback), `env`, `args`, `under` (the words of a command that starts
-- it), `errors` (a pattern of error lines that the test provokes, or several), `logs` (files in its folder that the log
-- goes to, in their order). Returns once it listens: `address` (the first public one), `addresses`, `admin`, `folder`.
function e2e.server(options)
  local folder = e2e.folder()
  local conf = "\n" .. (options.conf or "")
  if not conf:find "\n%s*listen%s*=" then conf = 'listen = "127.0.0.1:0"\n' .. conf end
  if not conf:find "\n%s*admin%s*=" then conf = 'admin = "127.0.0.1:0"\n' .. conf end
  if not conf:find "\n%s*rules%s*=" then conf = write_rules(folder, options.rules) .. conf end

  local self = setmetatable({ folder = folder, conf = e2e.write(folder .. "/sse.lua.conf", conf),
                              errors = options.errors, _options = options }, server)
  self:start()
  return self
end

-- `level=info msg=listening address=127.0.0.1:8080 listener=public`, in any order of fields, or as JSON.
local function listening(log)
  local found = { public = {}, admin = {} }
  for line in log:gmatch "([^\n]*)\n" do
    if line:find "listening" then
      local kind, address = line:match 'listener"?[=:]"?(%w+)', line:match 'address"?[=:]"?([^%s"]+)'
      if found[kind] then table.insert(found[kind], address) end
    end
  end
  return found
end

--- What GET /ready says, as a table.
function server:ready() return http.get(self.admin, "/ready").json() end

--- The value of a series of /metrics, such as `sluice_streams_ended_total{reason="slow"}`.
function server:metric(series)
  for line in http.get(self.admin, "/metrics").body:gmatch "[^\n]+" do
    local name, value = line:match "^(%S+) (%S+)$"
    if name == series then return tonumber(value) end
  end
  error("no series " .. series, 2)
end

--- Kilobytes of memory that are this process's own share (PSS).
function server:memory()
  local text = assert(io.open(("/proc/%d/smaps_rollup"):format(self.process.pid))):read "*a"
  return tonumber(text:match "\nPss:%s+(%d+) kB")
end

local function forget(self)
  wait.explain_no_more(self._tell)
  servers[self] = nil
  os.remove(self.process._path)
end

--- Starts it (again), with the config as it stands in `conf`. On port 0 the address is another one; `fixed = true`
-- takes the address that it had.
function server:start(fixed)
  if fixed then
    local text = assert(io.open(self.conf)):read "*a"
    text = text:gsub('(listen%s*=%s*)"127%.0%.0%.1:0"', '%1"' .. self.address .. '"')
    e2e.write(self.conf, text)
  end
  local words = { "run", "-c", self.conf }
  for _, word in ipairs(self._options.args or {}) do words[#words + 1] = word end
  self.process = proc.spawn(prefixed(self._options.under, e2e.command(words)), {
    env = e2e.environment(self._options.env), cwd = self.folder, output = os.tmpname(),
  })
  servers[self] = true
  self._tell = function() return "the server's log:\n" .. self:log():sub(-3000) end
  wait.explain_with(self._tell)
  wait.wait_until(function()
    local found = listening(self:log())
    self.addresses, self.admin = found.public, found.admin[1]
    self.address = self.addresses[1]
    return self.address and self.admin or not self.process:alive()
  end, 10, "the server to listen")
  if not self.process:alive() then
    local log = self:log()
    forget(self)
    error("the server did not start:\n" .. log, 2)
  end
end

function server:log()
  local text = { self.process:output() }
  for _, name in ipairs(self._options.logs or {}) do
    local file = io.open(self.folder .. "/" .. name)
    if file then
      text[#text + 1] = file:read "*a"
      file:close()
    end
  end
  return table.concat(text)
end

--- Waits for a line of the log, from the beginning of it.
function server:wait_log(pattern, timeout)
  if not self._options.logs then return self.process:wait_line(pattern, timeout) end
  return wait.wait_until(function() return self:log():match(pattern) end, timeout or 5, "the log to have " .. pattern)
end

--- Kills it without a chance to clean up.
function server:kill()
  self.process:kill()
  forget(self)
end

local function is_provoked(self, line)
  local patterns = self.errors or {}
  for _, pattern in ipairs(type(patterns) == "table" and patterns or { patterns }) do
    if line:find(pattern) then return true end
  end
  return false
end

-- What a server that was asked to end should not have done, as a list of sentences.
local function faults(self, code, killer)
  local found = {}
  if code ~= 0 then found[1] = ("exit code %s, signal %s"):format(tostring(code), tostring(killer)) end
  for line in self:log():gmatch "[^\n]+" do
    local is_error = line:find "level=error" or line:find '"level":"error"'
    if is_error and not is_provoked(self, line) then found[#found + 1] = line end
    if line:find "Sanitizer" or line:find "runtime error:" or line:find "definitely lost: [1-9]" then
      found[#found + 1] = line
    end
  end
  return found
end

--- Ends it with TERM and raises where it did not end well.
function server:stop(timeout)
  self.process:signal "TERM"
  local ok, failure = pcall(self.process.wait, self.process, timeout or 10)
  if not ok then
    self.process:kill()
    forget(self)
    error(failure, 0)
  end
  local found = faults(self, self.process.exit_code, self.process.exit_signal)
  local log = self:log()
  forget(self)
  if #found > 0 then
    error("the server did not end well: " .. table.concat(found, "\n  ") .. "\nits log:\n" .. log:sub(-4000), 0)
  end
end

--- Ends everything that the test started; requiring the module puts this after each test.
function e2e.finish()
  local all, failures = {}, {}
  tcp.close_all()
  for self in pairs(servers) do all[#all + 1] = self end
  for _, self in ipairs(all) do
    local ok, failure = pcall(self.stop, self)
    if not ok then failures[#failures + 1] = tostring(failure) end
  end
  proc.kill_all()
  for _, path in ipairs(folders) do os.execute("rm -rf " .. path) end
  folders = {}
  if #failures > 0 then error(table.concat(failures, "\n"), 0) end
end

busted.after_each(e2e.finish)

return e2e
