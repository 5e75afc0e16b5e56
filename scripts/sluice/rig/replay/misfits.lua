--- What of a recording did not fit to the rules that were replayed: methods of the play in sluice.rig.replay.

local Misfits = {}

--- Adds a sentence to the notes, once; `noted` counts how often.
function Misfits:note(text, ...)
  local sentence = text:format(...)
  if not self.noted[sentence] then self.notes[#self.notes + 1] = sentence end
  self.noted[sentence] = (self.noted[sentence] or 0) + 1
end

--- Streams that were open when the recording began, and are not in it.
function Misfits:note_streams()
  local missing = self.head.streams_before - #self.before
  if missing > 0 then
    self:note("%d streams were open before the recording began, and are not in it", missing)
  end
end

function Misfits:note_statuses()
  for _, entry in ipairs(self.entries) do
    local tab = (entry.what == "answer" or entry.what == "stream") and self.tabs[entry.id]
    local status = tab and tab.status or 0
    if tab and status ~= entry.status then
      self:note("%s was answered %d, and is %s now", tab.path, entry.status, status == 0 and "not answered" or status)
    end
  end
end

function Misfits:note_unasked()
  for _, entry in ipairs(self.entries) do
    if entry.what == "fetch" and not entry.taken then
      self:note("recorded, but not asked for: %s %s", entry.method, entry.url)
    elseif entry.what == "wire" and #entry.waiting > 0 then
      self:note("recorded, but not opened: upstream %s for %q", entry.upstream or entry.url, entry.key or "")
    end
  end
end

-- The types of each upstream's recorded events, with how many there were.
function Misfits:types_of(app, upstream)
  local types = {}
  for _, entry in ipairs(self.entries) do
    local wire = entry.what == "event" and self.wires[entry.id]
    if wire and wire.app == app and wire.upstream == upstream then types[entry.type] = (types[entry.type] or 0) + 1 end
  end
  return types
end

function Misfits:note_handlers()
  for _, upstream in ipairs(self.core:upstreams()) do
    local types, handled, unreached, other = self:types_of(upstream.app, upstream.upstream), {}, {}, {}
    for _, name in ipairs(upstream.handlers) do handled[name] = true end
    for name, count in pairs(types) do
      if not handled[name] then other[#other + 1] = ("%s (%d)"):format(name, count) end
    end
    for name in pairs(handled) do
      local reached = types[name] or (name == "*" and #other > 0) or name:sub(1, 1) == "@"
      if not reached then unreached[#unreached + 1] = name end
    end
    table.sort(other)
    table.sort(unreached)
    local what = ("upstream %s of app %s"):format(upstream.upstream, upstream.app)
    if #unreached > 0 then
      self:note("%s: no recorded event for the handlers of %s", what, table.concat(unreached, ", "))
    end
    if #other > 0 and not handled["*"] then self:note("%s: no handler for %s", what, table.concat(other, ", ")) end
  end
end

return Misfits
