--- A TCP proxy on the loopback whose connections a spec can cut, as a train in a tunnel does; hold, as a network that
-- loses its way for a while; make deaf, as a firewall that forgot one; or delay, as an ocean does.

local schedules = require "spec.support.schedules"
local tcp       = require "spec.support.tcp"
local wait      = require "spec.support.wait"

local proxy = {}
proxy.__index = proxy

-- Behind all that was given to be passed on before.
local function pass(self, from, how)
  local now, delay = wait.now(), self._delay
  local late = delay and delay.least + (delay.most - delay.least) * self._draw(1000) / 1000 or 0
  from.passed_by, from.passing = math.max(from.passed_by or 0, now + late), from.passing or 0
  if from.passed_by <= now and from.passing == 0 then return how() end
  from.passing = from.passing + 1
  wait.after(from.passed_by - now, function()
    from.passing = from.passing - 1
    how()
  end)
end

-- `pair.said` is what the client has sent first; of a deaf pair nothing goes to the client any more.
local function pump(self, pair, from, to)
  from.on_input = function()
    local bytes = from:take(#from.input)
    if from == pair[1] and #pair.said < 4096 then pair.said = pair.said .. bytes end
    if from == pair[2] and self._deaf and pair.said:find(self._deaf) then bytes = "" end
    local eof = from.eof
    pass(self, from, function()
      to:send(bytes)
      if eof then to:finish() end
    end)
  end
end

local function each_of(pair, what)
  for i = 1, 2 do
    if not pair[i].closed then pair[i][what](pair[i]) end
  end
end

--- Listens and passes on to `target`. `address`, and `accepted`, how many connections there have been.
function proxy.open(target)
  local self = setmetatable({ target = target, accepted = 0, _pairs = {}, _draw = schedules.generator(1) }, proxy)
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

--- From now on what is sent arrives `least` to `most` seconds later, in either direction, and in its order; without
-- them at once, behind what is late.
function proxy:delay(least, most) self._delay = least and { least = least, most = most } end

--- From now on what comes back on a connection whose client said something that matches `pattern` among its first
-- words is lost, on new ones, too; nil: no more, but what was lost is lost.
function proxy:deafen(pattern) self._deaf = pattern end

return proxy
