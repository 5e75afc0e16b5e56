-- Random schedules of boards against a model of who may read them: emits, tabs that come, go and stall, permissions
-- that change, questions that hang, fail and are forgotten, reloads. However they overlap: nobody sees a trigger
-- which the model forbids, an answer counting for its ttl and until it is forgotten; nobody who was permitted all the
-- time misses one without being told.

local rig       = require "sluice.rig"
local schedules = require "spec.support.schedules"
local seen      = require "spec.support.seen"

local TTL = 10
local USERS, PROJECTS = { "ann", "bob", "cid", "dan" }, { "1", "2" }

local EXPECTED = {
  "seen", "not seen", "missed and told", "seen by an answer that counts", "late answers", "late failures",
  "tabs that come while a question is open", "emits while a question is open",
  "forgotten while a question is open", "forgotten while something may wait",
  "reloads while a question is open", "resync access", "resync lagged", "cuts", "questions",
}

local random = schedules.new { of = "boards", seeds = 60, steps = 250, expected = EXPECTED }
local note = random.count

local Schedule = {}
Schedule.__index = Schedule

function Schedule.new(seed)
  local self = setmetatable({ draw = schedules.generator(seed), tabs = {}, triggers = {}, open = {},
    remembered = 0 }, Schedule)
  self.world = rig.load("spec/fixtures/boards.lua", { seed = seed, audience_permits = seed % 3 == 0 and 3 or nil })
  self.since = {}                                              -- [project user] = { from, permitted } in order
  self.forgotten = {}                                          -- [project user] = times
  for _, project in ipairs(PROJECTS) do
    for _, user in ipairs(USERS) do
      self.since[project .. user] = { { from = -100, yes = self.draw(3) > 1 } }
      self.forgotten[project .. user] = {}
    end
  end
  self:serve "at once"
  return self
end

-- The time, and which of the steps at that time it is: what happens later is later.
function Schedule:now()
  self.step = (self.step or 0) + 1
  return self.world:now() + self.step * 1e-7
end

function Schedule:pick(list) return list[self.draw(#list)] end

function Schedule:permitted(project, user)
  local list = self.since[project .. user]
  return list[#list].yes
end

-- What the app's server says now.
function Schedule:answer(asked)
  local list = {}
  for _, user in ipairs(asked.json.users) do
    if self:permitted(asked.json.key, user) then list[#list + 1] = user end
  end
  return { json = list }
end

function Schedule:serve(how)
  self.how, self.held = how, nil
  if how == "at once" then
    self.world:reply("POST /may", function(asked) return self:answer(asked) end)
  elseif how == "fails" then
    self.world:reply("POST /may", { status = 500 })
  else
    self.held = self.world:hold "POST /may"
  end
end

-- Held questions were asked what was true when they were asked: remembered as they come.
function Schedule:remember()
  local requests = self.world:requests "POST /may"
  while self.remembered ~= #requests do
    self.remembered = self.remembered + 1
    local asked = requests[self.remembered]
    if self.how == "held" then self.open[#self.open + 1] = { answer = self:answer(asked), held = self.held } end
  end
end

function Schedule:is_asking() return #self.open > 0 end

function Schedule:answer_one()
  local first = table.remove(self.open, 1)
  if not first then return end
  local fails = self.draw(8) == 1
  note(fails and "late failures" or "late answers")
  first.held:answer(fails and { status = 500 } or first.answer)
end

-- ---- tabs ----

function Schedule:connect(tab)
  if self:is_asking() then note "tabs that come while a question is open" end
  local options = { headers = { ["x-user"] = tab.user } }
  tab.rig = tab.rig and tab.rig:reconnect() or self.world:connect(tab.path, options)
  assert.equal(200, tab.rig.status)
  tab.here, tab.stalled, tab.read = true, false, 0
  tab.joined = tab.joined or self.world:now()
end

function Schedule:new_tab()
  local project = self:pick(PROJECTS)
  local path = (self.draw(3) == 1 and "/narrow/" or self.draw(4) == 1 and "/hasty/" or "/boards/") .. project
  local tab = { user = self:pick(USERS), project = project, path = path, got = {}, told = {}, after = #self.triggers }
  self.tabs[#self.tabs + 1] = tab
  self:connect(tab)
end

-- Was this user permitted at some moment from `from` to `to`?
function Schedule:ever(project, user, from, to)
  local list = self.since[project .. user]
  for i, entry in ipairs(list) do
    local ends = list[i + 1] and list[i + 1].from or math.huge
    if entry.yes and entry.from <= to and ends > from then return true end
  end
  return false
end

-- ... at every moment?
function Schedule:always(project, user, from, to)
  local list = self.since[project .. user]
  for i, entry in ipairs(list) do
    local ends = list[i + 1] and list[i + 1].from or math.huge
    if not entry.yes and entry.from <= to and ends > from then return false end
  end
  return true
end

function Schedule:check_one(tab, number, now)
  local trigger = self.triggers[number]
  local from = trigger.at - TTL
  for _, at in ipairs(self.forgotten[tab.project .. tab.user]) do
    if at <= now and at > from then from = at end
  end
  assert(trigger.project == tab.project, "of another board")
  assert(self:ever(tab.project, tab.user, from, now),
    ("%s saw %d, which nothing permitted from %.3f to %.3f"):format(tab.user, number, from, now))
  assert(number > (tab.last or 0), ("%d after %d"):format(number, tab.last or 0))
  tab.last, tab.got[number] = number, true
  if not self:permitted(tab.project, tab.user) then note "seen by an answer that counts" end
end

function Schedule:look()
  local now = self:now()
  for _, tab in ipairs(self.tabs) do
    if tab.here and not tab.rig:is_open() then tab.here = false end -- stalled for too long
    local events = tab.rig:events()
    while tab.read < #events do
      tab.read = tab.read + 1
      local event = events[tab.read]
      if event.type == "word" then self:check_one(tab, tonumber(event.data), now) end
      if event.type == "resync" then
        tab.told[#tab.told + 1] = now
        note("resync " .. event.data:match '"reason":"(%a+)"')
      end
    end
  end
  self:remember()
end

-- ---- what happens ----

local acts = {}

function acts:emit()
  local project, count = self:pick(PROJECTS), self.draw(4)
  local words = {}
  for i = 1, count do
    self.triggers[#self.triggers + 1] = { project = project, at = self:now() }
    words[i] = tostring(#self.triggers)
  end
  if self:is_asking() then note "emits while a question is open" end
  self.world:request("POST", "/emit/" .. project, { json = words })
end

function acts:come() if #self.tabs < 12 then self:new_tab() end end

function acts:go_or_return()
  local tab = self:pick(self.tabs)
  if not tab then return end
  if tab.here then
    tab.rig:cut()
    tab.here = false
    note "cuts"
  else
    self:connect(tab)
  end
end

function acts:stall_or_not()
  local tab = self:pick(self.tabs)
  if not tab or not tab.here then return end
  tab.stalled = not tab.stalled
  if tab.stalled then tab.rig:stall() else tab.rig:unstall() end
end

function acts:change()
  local project, user = self:pick(PROJECTS), self:pick(USERS)
  local list = self.since[project .. user]
  list[#list + 1] = { from = self:now(), yes = not list[#list].yes }
end

function acts:forget()
  local project = self.draw(4) > 1 and self:pick(PROJECTS) or nil
  local user = self.draw(3) > 1 and self:pick(USERS) or nil
  if self:is_asking() then note "forgotten while a question is open" end
  for _, tab in ipairs(self.tabs) do
    if tab.stalled then note "forgotten while something may wait" end
  end
  for _, p in ipairs(PROJECTS) do
    for _, u in ipairs(USERS) do
      if (not project or p == project) and (not user or u == user) then
        local times = self.forgotten[p .. u]
        times[#times + 1] = self:now()
      end
    end
  end
  self.world:request("POST", "/forget", { json = { project = project, user = user } })
end

function acts:reload()
  if self.draw(3) > 1 then return end
  if self:is_asking() then note "reloads while a question is open" end
  for _, times in pairs(self.forgotten) do times[#times + 1] = self:now() end
  self.world:reload "spec/fixtures/boards.lua"
end

function acts:serve() self:serve(self:pick { "at once", "at once", "held", "held", "fails" }) end

acts.answer = Schedule.answer_one

function acts:wait() self.world:advance(self:pick { 0.05, 0.3, 1, 2.5, 6, 11 }) end

local CHOICES = { "emit", "emit", "emit", "emit", "come", "come", "go_or_return", "stall_or_not", "change", "change",
  "forget", "reload", "serve", "answer", "answer", "wait", "wait" }

-- Everybody is back, the server is well, and time enough has passed.
function Schedule:settle()
  self:serve "at once"
  while #self.open > 0 do self:answer_one() end
  for _, tab in ipairs(self.tabs) do
    if tab.here and tab.stalled then tab.rig:unstall() end
    self:look()
    if not tab.here then self:connect(tab) end
  end
  for _ = 1, 60 do
    self.world:advance(2)
    self:look()
  end
end

function Schedule:assert_complete()
  local finished = self:now()
  for _, tab in ipairs(self.tabs) do
    for number = tab.after + 1, #self.triggers do
      local trigger = self.triggers[number]
      local due = trigger.project == tab.project and not tab.got[number] and
        self:always(tab.project, tab.user, trigger.at - TTL, finished)
      if due then
        local told = false
        for _, at in ipairs(tab.told) do told = told or at >= trigger.at end
        assert(told, ("%s on %s was permitted %d and has neither it nor a resync"):format(tab.user, tab.path, number))
        note "missed and told"
      elseif tab.got[number] then
        note "seen"
      elseif trigger.project == tab.project then
        note "not seen"
      end
    end
  end
end

local function run(seed)
  local self = Schedule.new(seed)
  random:walk(self, acts, CHOICES, self.draw, Schedule.look)
  self:settle()
  self:assert_complete()
  note("questions", #self.world:requests "POST /may")
  self.world:log()
  seen.close(self.world)
end

describe("boards under random schedules", function()
  it("show nothing that is forbidden, and lose nothing untold", function() random:run(run) end)
end)
