-- Random schedules of rules/board.lua against a model of who may read which project: mutations of tabs and of nobody,
-- in batches that fail as well; tabs that come, are cut, stall, take up and drop boards; members that go silently and
-- told; questions that hang and fail; reloads. Nobody sees what the model forbids, a tab behind a stream of its own
-- never its own echo; who was permitted all the time has everything in order or was told.

local json      = require "cjson"
local rig       = require "sluice.rig"
local board_app = require "spec.support.board_app"
local rules     = require "spec.support.rules"
local schedules = require "spec.support.schedules"
local seen      = require "spec.support.seen"
local tree      = require "spec.support.tree"

local TTL, KEY = 10, "the key"
local USERS, PROJECTS = { "ann", "bob", "cid" }, { "7", "8", "9" }

local EXPECTED = {
  "seen", "missed and told", "late answers", "late failures", "tabs that come while a question is open",
  "mutations while a question is open", "batches that failed", "echoes on the shared wire", "boards taken up",
  "boards dropped", "told while a question is open", "told while something may wait",
  "reloads while a question is open", "resync access", "cuts", "refused with 403", "refused with 503",
}

local random = schedules.new { of = "the shipped boards", seeds = 60, steps = 200, expected = EXPECTED }
local note = random.count

local FILES = { client = "rules/board.lua" } -- and one for tabs with a stream each

local Schedule = {}
Schedule.__index = Schedule

function Schedule.new(seed)
  local self = setmetatable({ draw = schedules.generator(seed), mode = seed % 2 == 0 and "client" or "server",
    tabs = {}, triggers = {}, open = {}, remembered = 0, step = 0, since = {}, forgotten = {}, members = {},
    reloads = {} }, Schedule)
  self.world = rig.load(FILES[self.mode], { env = { PUBLISH_KEY = KEY }, seed = seed })
  for _, project in ipairs(PROJECTS) do
    self.members[project] = {}
    for _, user in ipairs(USERS) do
      self.since[project .. user], self.forgotten[project .. user] = {}, {}
      self:permit(project, user, self.draw(3) > 1)
    end
  end
  board_app.serve(self.world, self.members)
  return self
end

function Schedule:pick(list) return list[self.draw(#list)] end

-- The time, and which step at that time it is.
function Schedule:now()
  self.step = self.step + 1
  return self.world:now() + self.step * 1e-7
end

function Schedule:permit(project, user, yes)
  self.members[project][user] = yes or nil
  local list = self.since[project .. user]
  list[#list + 1] = { from = #list == 0 and -100 or self:now(), yes = yes }
end

-- Was it so at some moment between?
function Schedule:was(yes, project, user, from, to)
  local list = self.since[project .. user]
  for i, entry in ipairs(list) do
    local ends = list[i + 1] and list[i + 1].from or math.huge
    if entry.yes == yes and entry.from <= to and ends > from then return true end
  end
  return false
end

function Schedule:fault(what, ...) error((self.mode .. ": " .. what):format(...), 2) end

-- ---- the app ----

function Schedule:serve(how)
  self.how, self.held = how, nil
  if how == "at once" then board_app.serve(self.world, self.members)
  elseif how == "fails" then self.world:reply("POST /api/readers", { status = 500 })
  else self.held = self.world:hold "POST /api/readers" end
end

-- A held question is answered by what was true when it was asked.
function Schedule:remember()
  local requests = self.world:requests "POST /api/readers"
  while self.remembered < #requests do
    self.remembered = self.remembered + 1
    if self.how == "held" then
      local answer = board_app.answer(requests[self.remembered], self.members)
      self.open[#self.open + 1] = { held = self.held, answer = answer }
    end
  end
end

function Schedule:answer_one()
  local first = table.remove(self.open, 1)
  if not first then return end
  local fails = self.draw(8) == 1
  note(fails and "late failures" or "late answers")
  first.held:answer(fails and { status = 500 } or first.answer)
end

-- ---- tabs ----

-- Its boards, with the number of the newest trigger when it took each up.
function Schedule:connect(tab, again)
  if #self.open > 0 then note "tabs that come while a question is open" end
  local names = {}
  for project in pairs(tab.boards) do names[#names + 1] = project end
  table.sort(names)
  local path = board_app.path(names)
  if again and tab.rig.status == 200 then
    tab.rig = tab.rig:reconnect { path = path }
  else
    tab.rig = self.world:connect(path, { cookie = "board=" .. tab.user, tag = tab.tag })
  end
  tab.here, tab.stalled, tab.read = true, false, 0
end

-- A stream may have become one, be refused, or have ended since.
function Schedule:settle_states()
  for _, tab in ipairs(self.tabs) do
    if tab.here and tab.rig.status and not tab.rig:is_open() then
      tab.here = false
      if tab.rig.status ~= 200 then -- it begins anew, with what it may have then
        note("refused with " .. tab.rig.status)
        for project in pairs(tab.boards) do
          if not self.members[project][tab.user] then tab.boards[project] = nil end
        end
      end
    end
  end
end

function Schedule:check_one(tab, project, event, now)
  local data = json.decode(event.data)
  local trigger = self.triggers[data.position]
  if not trigger or trigger.project ~= project then self:fault("%s saw %s on %s", tab.user, event.data, project) end
  local from = trigger.at - TTL
  for _, at in ipairs(self.forgotten[project .. tab.user]) do
    if at <= now and at > from then from = at end
  end
  if not self:was(true, project, tab.user, from, now) then
    self:fault("%s saw %d, which nothing permitted from %.3f to %.3f", tab.user, data.position, from, now)
  end
  if data.position <= (tab.last or 0) then self:fault("%d after %d", data.position, tab.last) end
  local own = trigger.user == tab.user and trigger.tag == tab.tag
  if own and self.mode == "server" then self:fault("its own echo: %d", data.position) end
  local tagged = self.mode == "client" and trigger.user == tab.user and trigger.tag or nil
  if data.session_tag ~= tagged then self:fault("%s is tagged %s", event.data, tostring(tagged)) end
  if own then note "echoes on the shared wire" end
  tab.last, tab.got[data.position] = data.position, true
end

function Schedule:look()
  local now = self:now()
  self:remember()
  for _, tab in ipairs(self.tabs) do
    local events = tab.rig:events()
    while tab.read < #events do
      tab.read = tab.read + 1
      local event = events[tab.read]
      local project = event.type:match "^project%-board%.(.*)$"
      if project then self:check_one(tab, project, event, now) end
      if event.type == "ready" and event.data:find '"resumed":false' then -- what was before is not its affair
        for board in pairs(tab.boards) do tab.boards[board] = #self.triggers end
      elseif event.type == "resync" then
        tab.told[#tab.told + 1] = now
        note("resync " .. event.data:match '"reason":"(%a+)"')
      end
    end
  end
  self:settle_states()
end

-- ---- what happens ----

local acts = {}

function acts:publish()
  local events, count, whose = {}, self.draw(3), self.draw(3) > 1 and self:pick(self.tabs) or nil
  local fails = self.draw(6) == 1
  local first = #self.triggers
  for i = 1, count do
    local project = self:pick(PROJECTS)
    local trigger = { project = project, at = self:now(), user = whose and whose.user, tag = whose and whose.tag }
    self.triggers[#self.triggers + 1] = trigger
    local data = { project = project, card = "k", position = #self.triggers }
    if fails and i == count then data = { project = project, cards = { data, 1 } } end
    events[i] = { type = data.cards and "column.deleted" or "card.moved", data = data, user = trigger.user,
      tag = trigger.tag }
  end
  if #self.open > 0 then note "mutations while a question is open" end
  local answer = self.world:publish("/publish", events, { key = KEY })
  assert.equal(fails and 500 or 200, answer.status)
  if not fails then return end
  note "batches that failed"
  for i = #self.triggers, first + 1, -1 do self.triggers[i].project = "none" end -- of no board: nobody may see them
end

function acts:come()
  if #self.tabs >= 8 then return end
  local number = #self.tabs + 1
  local tab = { user = self:pick(USERS), tag = ("tab-number-%05d"):format(number), boards = {}, got = {}, told = {} }
  for _ = 1, self.draw(2) do tab.boards[self:pick(PROJECTS)] = #self.triggers end
  self.tabs[number] = tab
  self:connect(tab)
end

function acts:cut_or_return()
  local tab = self:pick(self.tabs)
  if not tab then return end
  if tab.here then
    tab.rig:cut()
    tab.here = false
    note "cuts"
  else
    self:connect(tab, true)
  end
end

function acts:stall_or_not()
  local tab = self:pick(self.tabs)
  if not tab or not tab.here then return end
  tab.stalled = not tab.stalled
  if tab.stalled then tab.rig:stall() else tab.rig:unstall() end
end

-- Takes a board up, or drops it, on a stream that is open.
function acts:want()
  local tab = self:pick(self.tabs)
  if not tab or not tab.here or not tab.rig:is_open() or self.how == "held" then return end
  local project = self:pick(PROJECTS)
  if tab.boards[project] then
    tab.rig:delete("/topics/project-board." .. project)
    tab.boards[project] = nil
    note "boards dropped"
  else
    local answer = tab.rig:post("/topics", { json = { topics = { "project-board." .. project } } })
    if answer.status == 200 and not next(answer.json.refused) then
      tab.boards[project] = #self.triggers
      note "boards taken up"
    end
  end
end

function acts:change()
  local project, user = self:pick(PROJECTS), self:pick(USERS)
  self:permit(project, user, not self.members[project][user])
end

function acts:tell()
  local project, user = self:pick(PROJECTS), self:pick(USERS)
  local revoked = self.members[project][user]
  self:permit(project, user, not revoked)
  if #self.open > 0 then note "told while a question is open" end
  local times = self.forgotten[project .. user]
  times[#times + 1] = self:now()
  self.world:publish("/publish", { type = revoked and "access.revoked" or "access.granted",
    data = { project = project, member = user } }, { key = KEY })
  for _, tab in ipairs(self.tabs) do
    if tab.stalled then note "told while something may wait" end
    if revoked and tab.user == user then tab.boards[project] = nil end
  end
end

function acts:reload()
  if self.draw(4) > 1 then return end
  if #self.open > 0 then note "reloads while a question is open" end
  for _, times in pairs(self.forgotten) do times[#times + 1] = self:now() end
  self.reloads[#self.reloads + 1] = self:now()
  self.world:reload(FILES[self.mode])
end

function acts:serve() self:serve(self:pick { "at once", "at once", "held", "fails" }) end

acts.answer = Schedule.answer_one

function acts:wait() self.world:advance(self:pick { 0.05, 0.3, 1, 2.5, 6, 11 }) end

local CHOICES = { "publish", "publish", "publish", "publish", "come", "come", "cut_or_return", "stall_or_not", "want",
  "change", "tell", "reload", "serve", "answer", "answer", "wait", "wait" }

function Schedule:finish()
  self:serve "at once"
  while #self.open > 0 do self:answer_one() end
  for _, tab in ipairs(self.tabs) do
    if tab.here and tab.stalled then tab.rig:unstall() end
  end
  for _ = 1, 60 do
    self.world:advance(2)
    self:look()
    for _, tab in ipairs(self.tabs) do
      if not tab.here then self:connect(tab, true) end
    end
  end
end

-- Is it sure that the user could have this trigger? An answer from before counts, unless it was told that it does not;
-- after a reload streams are asked about anew.
function Schedule:is_due(trigger, user, finished)
  local from = trigger.at - TTL
  for _, at in ipairs(self.forgotten[trigger.project .. user]) do
    if at <= trigger.at and at > from then from = at end
  end
  for _, at in ipairs(self.reloads) do
    if at <= trigger.at then
      from = math.min(from, at)
      break
    end
  end
  return not self:was(false, trigger.project, user, from, finished)
end

function Schedule:assert_complete()
  local finished = self:now()
  for _, tab in ipairs(self.tabs) do
    for project, after in pairs(tab.boards) do
      for number = after + 1, #self.triggers do
        local trigger = self.triggers[number]
        local echo = self.mode == "server" and trigger.user == tab.user and trigger.tag == tab.tag
        if tab.got[number] then
          note "seen"
        elseif trigger.project == project and not echo and self:is_due(trigger, tab.user, finished) then
          local told = false
          for _, at in ipairs(tab.told) do told = told or at >= trigger.at end
          if not told then self:fault("%s was permitted %d and has neither it nor a resync", tab.user, number) end
          note "missed and told"
        end
      end
    end
  end
end

local function run(seed)
  local self = Schedule.new(seed)
  random:walk(self, acts, CHOICES, self.draw, Schedule.look)
  self:finish()
  self:assert_complete()
  self.world:log()
  seen.close(self.world)
end

describe("boards as they are shipped, under random schedules", function()
  it("show nothing that is forbidden, and lose nothing untold", function()
    rules.with_file((tree.read "rules/board.lua":gsub('suppress = "client"', 'suppress = "server"')), function(path)
      FILES.server = path
      random:run(run)
    end)
  end)
end)
