--- systemd for a spec: its notify socket, and the program that passes sockets.

local socket = require "posix.sys.socket"
local unistd = require "posix.unistd"

local manager = {}
manager.__index = manager

--- A notify socket in this folder, as `path`; `said` is what came, a text a message.
function manager.open(folder)
  local self = setmetatable({ path = folder .. "/notify", said = {} }, manager)
  self._fd = assert(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0))
  assert(socket.bind(self._fd, { family = socket.AF_UNIX, path = self.path }))
  assert(socket.setsockopt(self._fd, socket.SOL_SOCKET, socket.SO_RCVTIMEO, 0, 1000))
  return self
end

--- All that was said so far.
function manager:take()
  while true do
    local text = socket.recv(self._fd, 4096)
    if not text then return self.said end
    self.said[#self.said + 1] = text
  end
end

--- The place and the text of the first message that matches; nil: there is none.
function manager:find(pattern)
  for i, text in ipairs(self:take()) do
    if text:find(pattern) then return i, text end
  end
end

--- How many messages match.
function manager:count(pattern)
  local count = 0
  for _, text in ipairs(self:take()) do count = count + (text:find(pattern) and 1 or 0) end
  return count
end

function manager:close() unistd.close(self._fd) end

--- The words that start a program with these sockets. The program is started by the first connection, which is made.
function manager.activated(poke, names, ...)
  local words = { "bash", "-c", ("(sleep 0.2; exec curl -s -m 5 %s >/dev/null) & exec \"$@\""):format(poke), "--",
                  "systemd-socket-activate", "--fdname=" .. names }
  for _, address in ipairs { ... } do
    words[#words + 1] = "-l"
    words[#words + 1] = address
  end
  return words
end

return manager
