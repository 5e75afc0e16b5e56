--- A real redis-server for a spec: on a free port of the loopback and on a Unix socket, in a temporary folder, ended
-- behind the test like everything else (spec/support/e2e.lua), after the servers that use it.
--
--   local redis = redis_server.start()
--   redis.url, redis.socket_url        -- "redis://127.0.0.1:41234", "unix:///tmp/.../redis.sock"
--   redis:cli("SET", "a", "1")

local e2e  = require "spec.support.e2e"
local proc = require "spec.support.proc"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local redis  = {}
local server = {}
server.__index = server

-- What redis-cli wrote, without its last line's end. An error that the server answers is raised.
local function cli(self, words)
  local command = { "redis-cli", "-e", "-s", self.socket }
  for _, word in ipairs(words) do command[#command + 1] = tostring(word) end
  local process = proc.spawn(command, { env = { REDISCLI_AUTH = self.password or false, LD_PRELOAD = false } })
  local ok, failure = pcall(process.wait, process, 10)
  if not ok then
    process:kill()
    error(failure, 0)
  end
  local text = process:output():gsub("\n$", "")
  if process.exit_code ~= 0 then error(("redis-cli %s: %s"):format(table.concat(words, " "), text), 3) end
  return text
end

--- Runs a command with redis-cli and returns its answer as text: a list is one item a line, nil is "". What the server
-- answers as an error is raised. Not while it is paused.
function server:cli(...) return cli(self, { ... }) end

-- It takes connections, and has read what it keeps on disk.
local function answers(self)
  local ok, conn = pcall(tcp.connect, self.address)
  if not ok then return false end
  conn:send "PING\r\n"
  local line = conn:read_until("\r\n", 5)
  conn:close()
  return not line:find "^%-LOADING"
end

--- Starts it (again), where it was: the same port, socket and folder. Without `appendonly` it has forgotten everything.
function server:start()
  self.process = proc.spawn(self._command, { cwd = self.folder, env = { LD_PRELOAD = false } })
  wait.wait_until(function()
    if not self.process:alive() then error("redis-server ended: " .. self.process:output(), 0) end
    return answers(self)
  end, 10, "redis-server to answer")
end

--- Ends it as a service is ended: what `appendonly` keeps is on disk then.
function server:stop()
  self:continue()
  self.process:signal "TERM"
  self.process:wait(10)
end

--- Kills it, as a power cut does.
function server:kill() self.process:kill() end

--- Stops it where it is (SIGSTOP): connections stay, nothing is answered, until `continue`.
function server:pause() self.process:signal "STOP" end
function server:continue() self.process:signal "CONT" end

--- Closes connections from the server's side: of `kind` "normal" (commands), "pubsub" (channels), or, without one,
-- both. Returns how many.
function server:kill_clients(kind)
  local count = 0
  for _, each in ipairs(kind and { kind } or { "normal", "pubsub" }) do
    count = count + tonumber(self:cli("CLIENT", "KILL", "TYPE", each, "SKIPME", "yes"))
  end
  return count
end

--- How many connections of the name that Sluice gives its own there are, of a kind ("normal", "pubsub") or of both.
function server:clients(kind)
  local count = 0
  for _, each in ipairs(kind and { kind } or { "normal", "pubsub" }) do
    for line in self:cli("CLIENT", "LIST", "TYPE", each):gmatch "[^\n]+" do
      if line:find " name=sluice " then count = count + 1 end
    end
  end
  return count
end

--- Forgets all keys of all databases.
function server:flush() self:cli "FLUSHALL" end

local function percent_encoded(text)
  return (text:gsub("[^%w]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function command_of(self, options)
  local words = {
    "redis-server", "--port", self.address:match ":(%d+)$", "--bind", "127.0.0.1", "--unixsocket", self.socket,
    "--dir", self.folder, "--daemonize", "no", "--save", "", "--appendonly", options.appendonly and "yes" or "no",
    "--appendfsync", options.appendonly and "always" or "no",
  }
  if options.password then
    words[#words + 1] = "--requirepass"
    words[#words + 1] = options.password
  end
  for _, word in ipairs(options.args or {}) do words[#words + 1] = word end
  return words
end

--- Starts a server. `options`: `appendonly` (true: it keeps every write on disk), `password`, `args` (further words of
-- its command line: { "--user", "ann", "on", ">pw", "~*", "&*", "+@all" }). Has `url` and `socket_url` for Sluice's
-- config (with the password), `address` ("127.0.0.1:41234"), `socket` (its path), `folder`, `process`.
function redis.start(options)
  options = options or {}
  local folder = e2e.folder()
  local self = setmetatable({
    folder = folder, address = "127.0.0.1:" .. tcp.free_port(), socket = folder .. "/redis.sock",
    password = options.password,
  }, server)
  local who = options.password and (":" .. percent_encoded(options.password) .. "@") or ""
  self.url, self.socket_url = ("redis://%s%s"):format(who, self.address), ("unix://%s%s"):format(who, self.socket)
  self._command = command_of(self, options)
  self:start()
  return self
end

return redis
