-- One upstream connection as its far end sees it. Fields are read live: .open (is it connected),
-- .headers (of its request), .url, .last_event_id (what the request carried), .state and .leases
-- (of the link, nil when there is none), .wire (its number, new at every connection).

local network = require "sluice.rig.network"

local Upstream = {}

local function wire_of(self)
  for _, wire in ipairs(self.world.core:wires()) do
    if wire.upstream == self.name and wire.key == self.key then return wire end
  end
end

local function link_of(self)
  for _, link in ipairs(self.world.core:links()) do
    if link.upstream == self.name and link.key == self.key then return link end
  end
end

local live = {
  open = function(self)
    local wire = wire_of(self)
    return wire ~= nil and wire.open
  end,
  wire = function(self)
    local wire = wire_of(self)
    return wire and wire.number
  end,
  url = function(self)
    local wire = wire_of(self)
    return wire and wire.url
  end,
  headers = function(self)
    local wire = wire_of(self)
    return wire and network.describe(wire).headers
  end,
  last_event_id = function(self)
    local wire = wire_of(self)
    return wire and network.describe(wire).headers["last-event-id"]
  end,
  paused = function(self)
    local wire = wire_of(self)
    return wire ~= nil and wire.paused
  end,
  state = function(self)
    local link = link_of(self)
    return link and link.state
  end,
  leases = function(self)
    local link = link_of(self)
    return link and link.leases
  end,
}

function Upstream.new(world, name, key)
  return setmetatable({ world = world, name = name, key = key }, Upstream)
end

function Upstream.__index(self, field)
  local read = live[field]
  if read then return read(self) end
  return Upstream[field]
end

local function connected(self)
  local wire = wire_of(self)
  if not wire or not wire.open then
    error(("upstream %q has no open connection for key %q"):format(self.name, self.key), 3)
  end
  return wire.number
end

--- Sends bytes as they are.
function Upstream:raw(bytes)
  self.world.core:wire_bytes(connected(self), bytes)
  return self.world:run()
end

--- Sends one event; data is text, or a table that becomes JSON. Options: id, retry (ms).
function Upstream:send(type, data, options)
  options = options or {}
  local text = require("sluice.rig").json(data)
  local lines = {}
  if options.id then lines[#lines + 1] = "id: " .. options.id end
  if options.retry then lines[#lines + 1] = "retry: " .. options.retry end
  if type and type ~= "message" then lines[#lines + 1] = "event: " .. type end
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = "data: " .. line end
  return self:raw(table.concat(lines, "\n") .. "\n\n")
end

--- A comment line, which keeps an idle connection alive.
function Upstream:comment() return self:raw ":\n" end

--- The connection breaks.
function Upstream:cut()
  self.world.core:wire_end(connected(self), true)
  return self.world:run()
end

--- The upstream ends its answer cleanly.
function Upstream:finish()
  self.world.core:wire_end(connected(self), false)
  return self.world:run()
end

return Upstream
