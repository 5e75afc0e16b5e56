--- Plays a recording on the rig. The recording's clients come, ask and go at their times; each wire that the rules
-- open is the next recorded one of that upstream and key, and each request that they make the recorded one like it.
--
-- The world is steady: chance is the least of what it may be and no wire fails by itself, so that a link never tries
-- later than it did, and what a wire brings waits until it is open.

local Tab       = require "sluice.rig.tab"
local network   = require "sluice.rig.network"
local recording = require "sluice.rig.recording"

local parts = { require "sluice.rig.replay.before", require "sluice.rig.replay.questions",
  require "sluice.rig.replay.publishers", require "sluice.rig.replay.wires", require "sluice.rig.replay.misfits" }

local TAIL = 1 -- seconds behind the last entry: what the recorded triggers' own times were later by

-- Of links that were open when the recording began, all open in its first moment.
local LINK_RATE = 1e6

local Play = setmetatable({}, { __index = network })
Play.__index = Play

-- Milliseconds since the beginning.
function Play:now() return self.core:now() - 1000 end

-- What is due later, in the order of time and, in one moment, of the recording.
function Play:later(t, index, run)
  local agenda, at = self.agenda, #self.agenda + 1
  while at > 1 and (agenda[at - 1].t > t or (agenda[at - 1].t == t and agenda[at - 1].index > index)) do at = at - 1 end
  table.insert(agenda, at, { t = t, index = index, run = run })
end

-- Answers what is new. True if anything was; what an answer is due for later is on the agenda.
function Play:serve()
  local served, made = false, self.core:made()
  if made == self.made_before then return false end
  self.made_before = made
  for _, call in ipairs(self.core:calls(self.calls_seen)) do
    self.calls_seen = call.number
    served = self:ask(call) or served
  end
  for _, wire in ipairs(self.core:wires(self.wires_seen)) do
    self.wires_seen = wire.number
    self:bind(wire)
  end
  return served
end

-- ---- clients ----

local function decoded(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- A recorded cursor means a place of that server's order: here it is the place of the same trigger, counted in its
-- topic. So does an id of the publisher's, which may be another one now.
function Play:translate(cursor)
  local place = self.places[cursor]
  if cursor == self.head.cursor then return self.first_cursor end
  if not place then return cursor end
  local triggers = self.world:triggers(place.topic)
  local trigger = triggers[math.min(place.count, #triggers)]
  return trigger and trigger.cursor or self.first_cursor
end

function Play:request(entry)
  local headers = {}
  for i, header in ipairs(entry.headers or {}) do
    local value = header[1] == "last-event-id" and self:translate(header[2]) or self:key_in_place(entry, header)
    headers[i] = { header[1], value }
  end
  local query = (entry.query or ""):gsub("(last_event_id=)([^&]+)", function(name, cursor)
    local translated = self:translate(decoded(cursor))
    return name .. (translated == decoded(cursor) and cursor or translated)
  end)
  if entry.body_size then self:note("a request whose body is not in the recording: %s %s", entry.method, entry.path) end
  local client = self.core:request { method = entry.method, path = entry.path, query = query, headers = headers,
    body = entry.body or "", address = entry.address, listener = entry.listener, trusted = entry.trusted,
    secure = entry.secure }
  self:add_tab(entry.id, Tab.adopt(self.world, client, entry.path, "client " .. entry.id))
end

function Play:add_tab(id, tab)
  self.tabs[id] = tab
  self.world.by_client[tab.client] = tab
  self.world.tabs[#self.world.tabs + 1] = tab
end

-- A client that is done leaves nothing behind in the core; its tab stays, with its status.
function Play:forget(tab)
  tab:close()
  if not tab.forgotten then self.core:forget(tab.client) end
  tab.forgotten = true
end

function Play:leave(entry)
  if self.tabs[entry.id] then self:forget(self.tabs[entry.id]) end
end

function Play:answered(entry)
  local tab = self.tabs[entry.id]
  if tab and tab.state == "answered" then self:forget(tab) end
end

-- ---- the course of it ----

for _, part in ipairs(parts) do
  for name, value in pairs(part) do
    if type(value) == "function" then Play[name] = value end
  end
end

local act = { request = Play.request, gone = Play.leave, ["end"] = Play.leave, answer = Play.answered }

local function adopt(list, name)
  for _, part in ipairs(parts) do
    for what, run in pairs(part[name] or {}) do list[what] = run end
  end
  return list
end

adopt(act, "act")

function Play:step()
  local entry, due = self.entries[self.next], self.agenda[1]
  if due and (not entry or due.t < entry.t or (due.t == entry.t and due.index <= entry.index)) then
    table.remove(self.agenda, 1)
    due.run()
  else
    self.next = self.next + 1
    if entry.played or not act[entry.what] then return end
    act[entry.what](self, entry)
  end
  self.world:run()
end

-- The time of what comes next, up to the end.
function Play:next_time()
  local entry, due = self.entries[self.next], self.agenda[1]
  local t = entry and entry.t or math.huge
  return math.min(t, due and due.t or math.huge, self.stop)
end

function Play:run()
  self.world:run()
  while true do
    local left = self:next_time() - self:now()
    if left > 0 then
      self.core:advance(left)
      self.world:run()
    elseif self.entries[self.next] or (self.agenda[1] and self.agenda[1].t <= self:now()) then
      self:step()
    else
      return
    end
  end
end

-- ---- reading it in ----

local readers = {}

function readers.trigger(self, entry)
  self.counts[entry.topic] = (self.counts[entry.topic] or 0) + 1
  self.places[entry.cursor] = { topic = entry.topic, count = self.counts[entry.topic] }
  if entry.id then self.places[entry.id] = self.places[entry.cursor] end
end

adopt(readers, "readers")

local function new(world, tape)
  local play = setmetatable({
    world = world, core = world.core, head = tape.head, entries = tape.entries, next = 1,
    stop = tape.over + TAIL * 1000, agenda = {}, notes = {}, noted = {}, requests = {},
    calls_seen = 0, wires_seen = 0, first_cursor = world.core:cursor(), before = {},
    keys = world.core:keys(), statuses = {},
    questions = {}, asked = {}, wires = {}, wires_of = {}, tabs = {}, counts = {}, places = {},
  }, Play)
  for _, entry in ipairs(tape.entries) do
    if readers[entry.what] then readers[entry.what](play, entry) end
  end
  return play
end

local replay = {}

--- See rig.replay.
function replay.run(rig, path, options)
  local tape, loading = recording.read(path), {}
  for name, value in pairs(options) do loading[name] = value end
  loading.wall, loading.steady, loading.environ = tape.head.wall_ms / 1000, true, true
  loading.link_rate = options.link_rate or LINK_RATE
  if not options.rules then error("rig.replay: which rules? options.rules is a path or a list of paths", 0) end
  local loaded, world = pcall(rig.load, options.rules, loading)
  if not loaded then error(world, 0) end -- whoever runs a recording needs no place in here
  local play = new(world, tape)
  world.network, world.notes = play, play.notes
  function world.commands.unscripted(name)
    play:note("sent to Redis, which no recording has: %s", name:match "^%S+")
    return true
  end
  world.core:wire_rule("", 0) -- every wire waits for its recorded head
  world:run()
  play:open_before()
  play:run()
  play:note_streams()
  play:note_statuses()
  play:note_unasked()
  play:note_handlers()
  return world
end

return replay
