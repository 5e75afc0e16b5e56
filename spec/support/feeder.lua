--- An upstream with a stream for each key, "/feed/KEY": it numbers what it says, keeps all of it, goes on behind the
-- last id of who comes back, and counts how many are connected to a key at a time.
--
--   local feeder = feeders.open()
--   feeder:say("ann", "hello")         -- event "say", its id is its number
--   feeder:live "ann"                  -- how many are connected
--   feeder.overlaps                    -- times that somebody came while another was there

local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local feeders = {}
local feeder  = {}
feeder.__index = feeder

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

local function block(number, data) return ("event: say\nid: %d\ndata: %s\n\n"):format(number, data) end

local function key_of(self, name)
  self._keys[name] = self._keys[name] or { said = {}, conns = {} }
  return self._keys[name]
end

--- Opens it, on the loopback or on `address`. `refuse(request)` may return the text of a refusal.
function feeders.open(refuse, address)
  local self = setmetatable({ _keys = {}, overlaps = 0, requests = 0 }, feeder)
  self._upstream = upstream.open(function(request)
    self.requests = self.requests + 1
    local refusal = refuse and refuse(request)
    if refusal then return refusal end
    local name = request.target:match "^/feed/(%w+)"
    local key, parts = key_of(self, name), { HEAD }
    if self:live(name) > 0 then self.overlaps = self.overlaps + 1 end
    local last_id = tonumber(request.headers["last-event-id"])
    key.last_request = request
    for number = (last_id or #key.said) + 1, #key.said do parts[#parts + 1] = block(number, key.said[number]) end
    request.conn.begun_at = request.at
    table.insert(key.conns, request.conn)
    return table.concat(parts)
  end, address)
  self.url = self._upstream.url
  return self
end

--- Says it to who is connected, and to who comes back. Returns its number.
function feeder:say(name, data)
  local key = key_of(self, name)
  table.insert(key.said, data)
  for _, conn in ipairs(key.conns) do
    if not conn.closed then conn:send(block(#key.said, data)) end
  end
  return #key.said
end

--- How many are connected now.
function feeder:live(name)
  local count = 0
  for _, conn in ipairs(key_of(self, name).conns) do
    if not conn.closed then count = count + 1 end
  end
  return count
end

--- How many have ever been.
function feeder:openings(name) return #key_of(self, name).conns end

--- Whether that connection (its number among all that there have ever been) was ended by a reset, as the kernel does
-- for who closes a socket in which there are bytes that were never read.
function feeder:was_reset(name, number) return key_of(self, name).conns[number].reset == true end

--- When each of them came, and when it went: { { from, to }, ... }, `to` is nil of one that is there, or that was
-- closed from here.
function feeder:spans(name)
  local spans = {}
  for i, conn in ipairs(key_of(self, name).conns) do spans[i] = { from = conn.begun_at, to = conn.ended_at } end
  return spans
end

--- The newest request for a key that was answered with a stream.
function feeder:last_request(name) return key_of(self, name).last_request end

function feeder:wait_live(name, count, timeout)
  wait.wait_until(function() return self:live(name) == count end, timeout or 5,
    ("%d connections of %s"):format(count, name))
end

--- Cuts all connections of a key.
function feeder:cut(name)
  for _, conn in ipairs(key_of(self, name).conns) do
    if not conn.closed then conn:abort() end
  end
end

return feeders
