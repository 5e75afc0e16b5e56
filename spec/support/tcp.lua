--- Raw connections, TCP and Unix, on the loop of wait.lua: clients, and servers for scripted peers.
-- An address is "127.0.0.1:8080", "[::1]:8080" or "unix:/path", as in the config.

local errno  = require "posix.errno"
local fcntl  = require "posix.fcntl"
local signal = require "posix.signal"
local socket = require "posix.sys.socket"
local unistd = require "posix.unistd"
local wait   = require "spec.support.wait"

local tcp  = {}
local conn = {}
conn.__index = conn

-- Writing to a connection that the peer has reset is an error of that connection, not the end of the specs.
signal.signal(signal.SIGPIPE, signal.SIG_IGN)

local CHUNK = 65536
local open  = {}          -- every connection and listener that is not closed

local function parse(address)
  local path = address:match "^unix:(.+)$"
  if path then return { family = socket.AF_UNIX, path = path } end
  local six, six_port = address:match "^%[([%x:]+)%]:(%d+)$"
  if six then return { family = socket.AF_INET6, addr = six, port = tonumber(six_port) } end
  local host, port = address:match "^([%d.]+):(%d+)$"
  assert(host, "not an address: " .. address)
  return { family = socket.AF_INET, addr = host, port = tonumber(port) }
end

-- A started program inherits no descriptor of ours: it would keep a connection open that we closed.
local function new_socket(family)
  local fd = assert(socket.socket(family, socket.SOCK_STREAM, 0))
  fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  return fd
end

local function watch(self)
  wait.watch(self.fd, {
    readable = not self.paused and not self.eof and function() self:_readable() end or nil,
    writable = #self._output > 0 and function() self:_writable() end or nil,
  })
end

local function adopt(fd)
  fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.O_NONBLOCK)
  local self = setmetatable({ fd = fd, input = "", eof = false, _output = "" }, conn)
  open[self] = true
  watch(self)
  return self
end

--- Connects. `options.receive_buffer`: SO_RCVBUF in bytes, for readers that are to be slow.
function tcp.connect(address, options)
  local at = parse(address)
  local fd = new_socket(at.family)
  if options and options.receive_buffer then
    assert(socket.setsockopt(fd, socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer))
  end
  local ok, message = socket.connect(fd, at)
  if not ok then
    unistd.close(fd)
    error("connect " .. address .. ": " .. message, 2)
  end
  return adopt(fd)
end

--- Listens on a free port of the loopback (or on `address`) and calls `on_connection(conn)` for each.
-- Returns a listener with `address` and `close()`.
function tcp.listen(on_connection, address)
  local at = parse(address or "127.0.0.1:0")
  local fd = new_socket(at.family)
  assert(socket.setsockopt(fd, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1))
  assert(socket.bind(fd, at))
  assert(socket.listen(fd, 512))
  fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.O_NONBLOCK)
  local self = { fd = fd, address = address }
  if at.family == socket.AF_INET then
    local name = assert(socket.getsockname(fd))
    self.address = name.addr .. ":" .. name.port
  end
  function self.close()
    if not open[self] then return end
    open[self] = nil
    wait.forget(fd)
    unistd.close(fd)
  end
  open[self] = true
  wait.watch(fd, { readable = function()
    local accepted = socket.accept(fd)
    if accepted then on_connection(adopt(accepted)) end
  end })
  return self
end

--- Closes whatever a spec left open.
function tcp.close_all()
  local left = {}
  for self in pairs(open) do left[#left + 1] = self end
  for _, self in ipairs(left) do self:close() end
end

-- Both sides have said their last.
local function close_if_over(self)
  if self._finishing and self.eof and self._output == "" then self:close() end
end

function conn:_readable()
  local bytes, _, code = socket.recv(self.fd, CHUNK)
  if not bytes and (code == errno.EAGAIN or code == errno.EINTR) then return end
  if not bytes or bytes == "" then
    self.eof, self.reset = true, not bytes
    watch(self)
  else
    self.input = self.input .. bytes
  end
  if self.on_input then self:on_input() end
  close_if_over(self)
end

function conn:_writable()
  local sent, message, code = socket.send(self.fd, self._output:sub(1, CHUNK))
  if sent then
    self._output = self._output:sub(sent + 1)
  elseif code ~= errno.EAGAIN and code ~= errno.EINTR then
    self._output, self.write_error = "", message
  end
  if self._finishing and self._output == "" then socket.shutdown(self.fd, socket.SHUT_WR) end
  watch(self)
  close_if_over(self)
end

--- Sends `bytes`, at once as far as the socket takes them and the rest as it drains.
function conn:send(bytes)
  self._output = self._output .. bytes
  if not self.closed then self:_writable() end
  return self
end

--- Stops reading, so that the kernel's buffers fill and the peer meets a slow reader; `resume` goes on.
function conn:pause() self.paused = true; watch(self) end
function conn:resume() self.paused = false; watch(self) end

--- Sends FIN, behind what is still to be sent, and goes on reading.
function conn:finish()
  self._finishing = true
  if not self.closed then self:_writable() end
end

function conn:close()
  if self.closed then return end
  self.closed, open[self] = true, nil
  wait.forget(self.fd)
  unistd.close(self.fd)
end

--- Closes with RST instead of FIN.
function conn:abort()
  socket.setsockopt(self.fd, socket.SOL_SOCKET, socket.SO_LINGER, 1, 0)
  self:close()
end

--- Takes the first `count` bytes off the input.
function conn:take(count)
  local bytes = self.input:sub(1, count)
  self.input = self.input:sub(count + 1)
  return bytes
end

--- Waits for the plain text `mark` and takes the input up to its end.
function conn:read_until(mark, timeout)
  local last
  wait.wait_until(function()
    last = select(2, self.input:find(mark, 1, true))
    return last or self.eof
  end, timeout, ("%q, having %q"):format(mark, self.input:sub(-200)))
  if not last then error(("%q expected, the connection ended after %q"):format(mark, self.input:sub(-200)), 2) end
  return self:take(last)
end

--- Waits for the peer to close and returns what had come.
function conn:read_all(timeout)
  wait.wait_until(function() return self.eof end, timeout, "the peer to close")
  return self:take(#self.input)
end

--- A port that nobody listens on, for a program that cannot choose one itself.
function tcp.free_port()
  local fd = assert(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0))
  assert(socket.bind(fd, { family = socket.AF_INET, addr = "127.0.0.1", port = 0 }))
  local port = assert(socket.getsockname(fd)).port
  unistd.close(fd)
  return port
end

return tcp
