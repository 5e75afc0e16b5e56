--- A TCP proxy on the loopback whose connections a spec can cut, as a train in a tunnel does.

local tcp = require "spec.support.tcp"

local proxy = {}
proxy.__index = proxy

local function pump(from, to)
  from.on_input = function()
    to:send(from:take(#from.input))
    if from.eof then to:finish() end
  end
end

--- Listens and passes on to `target`. `address`, and `accepted`, how many connections there have been.
function proxy.open(target)
  local self = setmetatable({ target = target, accepted = 0, _pairs = {} }, proxy)
  self._listener = tcp.listen(function(client)
    self.accepted = self.accepted + 1
    local ok, server = pcall(tcp.connect, self.target)
    if not ok or self.refusing then
      if ok then server:close() end
      client:abort()
      return
    end
    pump(client, server)
    pump(server, client)
    table.insert(self._pairs, { client, server })
  end)
  self.address = self._listener.address
  return self
end

--- Resets all connections, on both sides. While `refusing` is true new ones are reset as well.
function proxy:cut()
  for _, pair in ipairs(self._pairs) do
    for _, conn in ipairs(pair) do
      if not conn.closed then conn:abort() end
    end
  end
  self._pairs = {}
end

return proxy
