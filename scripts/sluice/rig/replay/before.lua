--- What was there when a recording began - streams and links that were open - in a replay: methods of the play in
-- sluice.rig.replay.
--
-- It is opened before the first moment of the recording, and what the rules make of the openings is forgotten: the
-- server's own had been long ago. What they ask meanwhile was asked long ago, too. Where the recording has the same
-- question later, its answer serves; the question stays for who asks it then.

local Tab = require "sluice.rig.tab"

local DONT_KNOW = 503 -- or, refused by `retry`, a stream that has ended

local Before = { readers = {} }

local function with_query(entry)
  return entry.query and entry.path .. "?" .. entry.query or entry.path
end

function Before:open_stream(entry)
  if entry.data_size then
    self:note("a stream whose data is not in the recording: %s of %s", entry.path, entry.user or "nobody")
  end
  local as = { user = entry.user, data = entry.data }
  local function open()
    self:add_tab(entry.id, Tab.new(self.world, with_query(entry), { tag = entry.tag or false,
      listener = entry.listener, name = "client " .. entry.id, as = as }, entry.id))
    self.world:run()
  end
  open()
  -- The rules do not know its topics: what they ask for them is not in the recording. But which they were is.
  local tab = self.tabs[entry.id]
  if tab.status == DONT_KNOW or (tab.status == 200 and not tab:is_open()) then
    self:forget(tab)
    as.topics = entry.topics
    self:note("%s: the rules do not know the topics of a stream from before the recording; it has the recorded ones",
      entry.path)
    open()
  end
end

-- Was the link open? Then its wire's head stands right behind it, of the same moment.
local function head_of(entries, wire)
  local head = entries[wire.index + 1]
  local open = wire.before and head and head.what == "head" and head.id == wire.id and head.t == wire.t
  return open and head or nil
end

-- Brings what is there already to the wires that the rules open, until they open no more.
function Before:open_links()
  while self.agenda[1] and self.agenda[1].t <= self:now() do
    table.remove(self.agenda, 1).run()
    self.world:run()
  end
end

--- Opens it all, before anything else is played.
function Before:open_before()
  if #self.before == 0 then return end
  self.opening = true
  for _, wire in pairs(self.wires) do
    local head = head_of(self.entries, wire)
    if head then
      head.played = true
      table.insert(wire.waiting, head)
    end
  end
  for _, entry in ipairs(self.before) do self:open_stream(entry) end
  self:open_links()
  self.opening = false
  self.world.placed, self.world.journal_entries = {}, {}
  self.first_cursor = self.core:cursor()
end

-- The answer of a question like it, at once; true if there is one.
function Before:answer_before(call, request)
  local question = self:find_question(request, true)
  local reply = question and question.reply
  if not reply or reply.what ~= "fetched" then
    self:note("asked for a stream or link from before the recording, and not in it: %s %s", request.method, request.url)
    self.core:answer(call.number, { code = "network", sentence = "the recording does not have this request" })
  else
    self:answer(call, reply)
  end
  return true
end

-- ---- reading it in ----

function Before.readers.stream(self, entry)
  if entry.before then self.before[#self.before + 1] = entry end
end

-- A link that was open once and is not: its next opening is one again. So it is opened, and lost.
function Before.readers.lost(self, entry)
  local opened = { what = "wire", app = entry.app, upstream = entry.upstream, key = entry.key, index = entry.index }
  self:add_wire(opened, 1)
  opened.waiting = { { what = "head", status = 200, type = "text/event-stream" }, { what = "cut" } }
end

return Before
