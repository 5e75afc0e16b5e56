--- Upstreams' wires in a replay: methods of the play in sluice.rig.replay.

local Wires = { act = {}, readers = {} }

local function wire_name(wire) return ("%s %s %s"):format(wire.app or "", wire.upstream or "", wire.key or "") end

local function event_bytes(entry)
  local lines = {}
  if entry.event_id then lines[1] = "id: " .. entry.event_id end
  lines[#lines + 1] = "event: " .. entry.type
  for line in ((entry.data or "") .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = "data: " .. line end
  return table.concat(lines, "\n") .. "\n\n"
end

-- What an entry does to a wire; false: it is not there any more.
local bring = {
  head  = function(core, number, entry)
    return core:wire_head(number, entry.status, entry.type or "", entry.retry_after)
  end,
  event = function(core, number, entry) return core:wire_bytes(number, event_bytes(entry)) end,
  retry = function(core, number, entry) return core:wire_bytes(number, ("retry: %d\n\n"):format(entry.ms)) end,
  alive = function(core, number) return core:wire_bytes(number, ":\n") end,
  cut   = function(core, number, entry) return core:wire_end(number, entry.code, entry.sentence) end,
}

-- Brings what waits to the wire that the rules have opened. Where they closed it, the rest waits for the next one.
function Wires:flush(wire)
  while wire.number and wire.waiting[1] do
    local entry = wire.waiting[1]
    if entry.what == "head" then wire.head = entry end
    if not bring[entry.what](self.core, wire.number, entry) then
      wire.number = nil
      wire.done = wire.done or entry.what == "cut"
      if wire.done then table.remove(wire.waiting, 1) return end
      if entry.what ~= "head" then table.insert(wire.waiting, 1, wire.head) end
      return
    end
    table.remove(wire.waiting, 1)
    wire.done = wire.done or entry.what == "cut"
  end
end

function Wires:bind(opened)
  for _, wire in ipairs(self.wires_of[wire_name(opened)] or {}) do
    if not wire.number and not wire.done then
      wire.number = opened.number
      self:later(self:now(), wire.index, function() self:flush(wire) end)
      return
    end
  end
  self:note("opened, but not in the recording: upstream %s for %q", opened.upstream, opened.key)
end

for what in pairs(bring) do
  Wires.act[what] = function(self, entry)
    local wire = self.wires[entry.id]
    if not wire then return end
    if entry.data_size then
      self:note("an event whose data is not in the recording: '%s' of %s", entry.type, wire.upstream or wire.url)
      return
    end
    table.insert(wire.waiting, entry)
    self:flush(wire)
  end
end

-- The server closed it: no later wire of the rules is this one.
function Wires.act.closed(self, entry)
  local wire = self.wires[entry.id]
  if wire then wire.done = true end
end

-- ---- reading it in ----

-- One more for the rules to open; at its place among those of its key, or as the last.
function Wires:add_wire(entry, place)
  local name = wire_name(entry)
  entry.waiting = {}
  self.wires_of[name] = self.wires_of[name] or {}
  table.insert(self.wires_of[name], place or #self.wires_of[name] + 1, entry)
end

function Wires.readers.wire(self, entry)
  self.wires[entry.id] = entry
  self:add_wire(entry)
end

return Wires
