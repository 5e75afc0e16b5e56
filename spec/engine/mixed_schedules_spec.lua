-- Random schedules of all that can hold a trigger or take it back, at once: keyed audiences with short-lived answers,
-- filters behind them that wait, replacements, what newcomers get, small queues, topics joined and left, streams ended,
-- answers forgotten, reloads. Nobody sees what nothing permitted, nor twice, nor out of order, nor of a topic that it
-- left; who was permitted all the time has it or was told.

local rig       = require "sluice.rig"
local schedules = require "spec.support.schedules"
local seen      = require "spec.support.seen"

local FIXTURE = "spec/fixtures/mixed.lua"
local USERS, TOPICS, KEYS = { "ann", "bob", "cid" }, { "keyed", "kept", "plain" }, { "x", "y" }
local TTL = { keyed = 1, kept = 10 }

local EXPECTED = {
  "seen", "missed and told", "kept for newcomers", "late answers", "late failures", "filters that waited", "cuts",
  "tabs that come while a question is open", "emits while a question is open", "joins while a question is open",
  "half of it was out already", "leaves while a question is open", "forgotten while a question is open",
  "forgotten while a filter waits",
  "reloads while a question is open", "reloads while a filter waits", "streams ended", "resync access",
  "resync lagged",
}

local random = schedules.new { of = "all that can hold a trigger", seeds = 200, steps = 220, expected = EXPECTED }
local note = random.count

local Schedule = {}
Schedule.__index = Schedule

function Schedule.new(seed)
  local self = setmetatable({ draw = schedules.generator(seed), tabs = {}, triggers = {}, open = {}, remembered = 0,
    step = 0, since = {}, may = {}, forgotten = {}, newest = {} }, Schedule)
  self.world = rig.load(FIXTURE, { seed = seed, audience_permits = seed % 4 == 0 and 3 or nil })
  for _, key in ipairs(KEYS) do
    for _, user in ipairs(USERS) do
      self.since[key .. user] = {}
      self:permit(key, user, self.draw(3) > 1)
    end
  end
  self:serve "at once"
  self:sieve "at once"
  return self
end

function Schedule:pick(list) return list[self.draw(#list)] end

function Schedule:now()
  self.step = self.step + 1
  return self.world:now() + self.step * 1e-7
end

function Schedule:permit(key, user, yes)
  self.may[key .. user] = yes
  local list = self.since[key .. user]
  list[#list + 1] = { from = #list == 0 and -100 or self:now(), yes = yes }
end

function Schedule:was(yes, key, user, from, to)
  local list = self.since[key .. user]
  for i, entry in ipairs(list) do
    local ends = list[i + 1] and list[i + 1].from or math.huge
    if entry.yes == yes and entry.from <= to and ends > from then return true end
  end
  return false
end

local function fault(what, ...) error(what:format(...), 2) end

-- ---- the app ----

function Schedule:answer(asked)
  local list = {}
  for _, user in ipairs(asked.json.users) do list[user] = self.may[asked.json.key .. user] end
  return { json = list }
end

function Schedule:serve(how)
  self.how, self.held = how, nil
  if how == "at once" then self.world:reply("POST /may", function(asked) return self:answer(asked) end)
  elseif how == "fails" then self.world:reply("POST /may", { status = 500 })
  else self.held = self.world:hold "POST /may" end
end

function Schedule:sieve(how)
  if how == "held" then self.sieving = self.world:hold "GET /sieve"
  else
    self.sieving = nil
    self.world:reply("GET /sieve", { status = how == "fails" and 500 or 200 })
  end
end

function Schedule:remember()
  local requests = self.world:requests "POST /may"
  while self.remembered < #requests do
    self.remembered = self.remembered + 1
    if self.how == "held" then
      self.open[#self.open + 1] = { held = self.held, answer = self:answer(requests[self.remembered]) }
    end
  end
end

-- ---- tabs ----

local function names_of(topics)
  local list = {}
  for _, topic in ipairs(TOPICS) do
    if topics[topic] then list[#list + 1] = topic end
  end
  return #list > 0 and table.concat(list, "+") or "none"
end

function Schedule:connect(tab)
  if #self.open > 0 then note "tabs that come while a question is open" end
  local path = "/" .. tab.kind .. "/" .. names_of(tab.topics)
  if tab.rig then
    tab.rig = tab.rig:reconnect { path = path }
  else
    tab.rig = self.world:connect(path, { headers = { ["x-user"] = tab.user }, tag = tab.tag })
  end
  assert.equal(200, tab.rig.status)
  tab.here, tab.stalled, tab.half, tab.read, tab.came = true, false, false, 0, self:now()
end

-- From when on must it have been permitted for it to be right that it is seen now?
function Schedule:since_when(tab, trigger, now)
  local from = math.max(trigger.at, tab.came, tab.topics[trigger.topic] or 0) - TTL[trigger.topic]
  for _, one in ipairs(self.forgotten) do
    local meant = (not one.topic or one.topic == trigger.topic) and (not one.user or one.user == tab.user)
    if meant and one.at <= now and one.at > from then from = one.at end
  end
  return from
end

function Schedule:check_one(tab, event, now)
  local number = tonumber(event.data:match "%d+")
  local trigger = self.triggers[number]
  local half = tab.half -- of what is half written the rest comes, whatever happens
  if half then
    note "half of it was out already"
  elseif not tab.topics[trigger.topic] then
    fault("%s saw %d of %s, which it left", tab.tag, number, trigger.topic)
  end
  local from = trigger.key and self:since_when(tab, trigger, now)
  if from and not half and not self:was(true, trigger.key, tab.user, from, now) then
    fault("%s saw %s, which nothing permitted from %.3f to %.3f", tab.user, event.data, from, now)
  end
  if not event.id then
    note "kept for newcomers"
  else
    if number <= (tab.last or 0) then fault("%s: %d after %d", tab.tag, number, tab.last) end
    tab.last = number
  end
  tab.got[number] = true
end

function Schedule:look()
  local now = self:now()
  self:remember()
  for _, tab in ipairs(self.tabs) do
    local events = tab.rig:events()
    while tab.read < #events do
      tab.read = tab.read + 1
      local event = events[tab.read]
      if event.type == "word" then
        -- An id of its own has what was replayed or is live; what newcomers get has the one before.
        local before = events[tab.read - 1]
        self:check_one(tab, { data = event.data, id = event.id ~= (before and before.id) and event.id or nil }, now)
      elseif event.type == "ready" and event.data:find '"resumed":false' then -- it was cut before it had an id, say
        for topic in pairs(tab.topics) do tab.from[topic] = #self.triggers end
      elseif event.type == "resync" then
        tab.told[#tab.told + 1] = now
        note("resync " .. event.data:match '"reason":"(%a+)"')
      end
      tab.half = false
    end
    if tab.here and not tab.rig:is_open() then tab.here = false end
  end
end

-- ---- what happens ----

local acts = {}

function acts:emit()
  local list = {}
  for i = 1, self.draw(4) do
    local number, topic = #self.triggers + 1, self:pick(TOPICS)
    local key = topic ~= "plain" and self:pick(KEYS) or nil
    local trigger = { at = self:now(), topic = topic, key = key, replaces = self.draw(4) == 1 and "r" or nil }
    trigger.sieve = topic == "keyed" and self.draw(4) == 1
    self.triggers[number] = trigger
    list[i] = { topic = topic, data = ("%d %s %s"):format(number, key or "", trigger.sieve and "sieve" or ""),
      replaces = trigger.replaces }
    if trigger.replaces then
      local older = self.newest[topic]
      if older then self.triggers[older].outlived = true end
      self.newest[topic] = number
    end
  end
  if #self.open > 0 then note "emits while a question is open" end
  assert.equal(204, self.world:request("POST", "/emit", { json = list }).status)
end

function acts:come()
  if #self.tabs >= 9 then return end
  local number = #self.tabs + 1
  local tab = { user = self:pick(USERS), tag = ("tab-number-%05d"):format(number), got = {}, told = {}, topics = {},
    from = {}, kind = self:pick { "wide", "narrow", "hasty" } }
  for _ = 1, self.draw(3) do
    local topic = self:pick(TOPICS)
    tab.topics[topic], tab.from[topic] = -1, #self.triggers
  end
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
    self:connect(tab)
  end
end

function acts:stall_or_not()
  local tab = self:pick(self.tabs)
  if not tab or not tab.here then return end
  tab.stalled = not tab.stalled
  if not tab.stalled then
    tab.rig:unstall()
    return
  end
  tab.half = self.draw(3) == 1
  tab.rig:stall(tab.half and self.draw(20) or 0)
end

function acts:join_or_leave()
  local tab, topic = self:pick(self.tabs), self:pick(TOPICS)
  if not tab or not tab.here then return end
  local how = tab.topics[topic] and "leave" or "join"
  if how == "leave" and tab.half then return end
  if #self.open > 0 then note(how .. "s while a question is open") end
  if how == "leave" then tab.topics[topic] = nil
  else tab.topics[topic], tab.from[topic] = self:now(), #self.triggers end
  assert.equal(204, self.world:request("POST", "/" .. how .. "/" .. topic, { headers = { ["x-user"] = tab.user },
    tag = tab.tag }).status)
end

function acts:change()
  local key, user = self:pick(KEYS), self:pick(USERS)
  self:permit(key, user, not self.may[key .. user])
end

function acts:forget()
  local what = { topic = self.draw(2) == 1 and self:pick { "keyed", "kept" } or nil,
    user = self.draw(3) > 1 and self:pick(USERS) or nil }
  what.ends = what.user and self.draw(4) == 1 or nil
  if #self.open > 0 then note "forgotten while a question is open" end
  if self.sieving and #self.sieving.waiting > 0 then note "forgotten while a filter waits" end
  self.forgotten[#self.forgotten + 1] = { topic = what.topic, user = what.user, at = self:now() }
  assert.equal(204, self.world:request("PUT", "/forget", { json = what }).status)
  if what.ends then note "streams ended" end
end

function acts:reload()
  if self.draw(4) > 1 then return end
  if #self.open > 0 then note "reloads while a question is open" end
  if self.sieving and #self.sieving.waiting > 0 then note "reloads while a filter waits" end
  self.forgotten[#self.forgotten + 1] = { at = self:now() }
  self.world:reload(FIXTURE)
end

function acts:serve() self:serve(self:pick { "at once", "held", "held", "fails" }) end

function acts:sieve_otherwise() self:sieve(self:pick { "at once", "held", "held", "fails" }) end

function acts:answer()
  local first = table.remove(self.open, 1)
  if not first then return end
  local fails = self.draw(8) == 1
  note(fails and "late failures" or "late answers")
  first.held:answer(fails and { status = 500 } or first.answer)
end

function acts:answer_sieve()
  if not self.sieving or #self.sieving.waiting == 0 then return end
  note "filters that waited"
  self.sieving:answer { status = self.draw(6) == 1 and 500 or 200 }
end

function acts:wait() self.world:advance(self:pick { 0.05, 0.3, 0.5, 1.1, 2.5, 11 }) end

local CHOICES = { "emit", "emit", "emit", "emit", "come", "come", "cut_or_return", "stall_or_not", "join_or_leave",
  "change", "forget", "reload", "serve", "sieve_otherwise", "answer", "answer", "answer_sieve", "wait" }

function Schedule:finish()
  self:serve "at once"
  self:sieve "at once"
  while #self.open > 0 do acts.answer(self) end
  for _, tab in ipairs(self.tabs) do
    if tab.here and tab.stalled then tab.rig:unstall() end
  end
  for _ = 1, 60 do
    self.world:advance(2)
    self:look()
    for _, tab in ipairs(self.tabs) do
      if not tab.here then self:connect(tab) end
    end
  end
end

function Schedule:assert_complete()
  local finished = self:now()
  for _, tab in ipairs(self.tabs) do
    for number, trigger in ipairs(self.triggers) do
      local has = tab.topics[trigger.topic] and number > tab.from[trigger.topic]
      if tab.got[number] then
        note "seen"
      elseif has and not trigger.outlived and
        not (trigger.key and self:was(false, trigger.key, tab.user, trigger.at - TTL[trigger.topic], finished)) then
        local told = false
        for _, at in ipairs(tab.told) do told = told or at >= trigger.at end
        if not told then
          fault("%s (%s, %s) was permitted %d of %s%s and has neither it nor a resync", tab.tag, tab.user,
            tab.kind, number, trigger.topic, trigger.sieve and ", sieved," or "")
        end
        note "missed and told"
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

describe("all that can hold a trigger, under random schedules,", function()
  it("shows nothing that is forbidden, and loses nothing untold", function() random:run(run) end)
end)
