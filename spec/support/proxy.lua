--- A TCP proxy on the loopback whose connections a spec can cut, as a train in a tunnel does; hold, as a network that
-- loses its way for a while; or make deaf, as a firewall that forgot one.

local tcp = require "spec.support.tcp"

local proxy = {}
proxy.__index = proxy

-- `pair.said` is what the client has sent first; of a deaf pair nothing goes to the client any more.
local function pump(self, pair, from, to)
  from.on_input = function()
    local bytes = from:take(#from.input)
    if from == pair[1] and #pair.said < 4096 then pair.said = pair.said .. bytes end
    if from == pair[2] and self._deaf and pair.said:find(self._deaf) then bytes = "" end
    to:send(bytes)
    if from.eof then to:finish() end
  end
end

local function each_of(pair, what)
  for i = 1, 2 do
    if not pair[i].closed then pair[i][what](pair[i]) end
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
    local pair = { client, server, said = "" }
    pump(self, pair, client, server)
    pump(self, pair, server, client)
    if self._held then each_of(pair, "pause") end
    table.insert(self._pairs, pair)
  end)
  self.address = self._listener.address
  return self
end

--- Resets all connections, on both sides. While `refusing` is true new ones are reset as well.
function proxy:cut()
  for _, pair in ipairs(self._pairs) do each_of(pair, "abort") end
  self._pairs = {}
end

--- From now on nothing passes, in either direction, also of new connections, and nobody is told; until `release`, when
-- all that was sent meanwhile arrives.
function proxy:hold()
  self._held = true
  for _, pair in ipairs(self._pairs) do each_of(pair, "pause") end
end

function proxy:release()
  self._held = false
  for _, pair in ipairs(self._pairs) do each_of(pair, "resume") end
end

--- From now on what comes back on a connection whose client said something that matches `pattern` among its first
-- words is lost, on new ones, too; nil: no more, but what was lost is lost.
function proxy:deafen(pattern) self._deaf = pattern end

return proxy
