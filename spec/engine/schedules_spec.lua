-- Seeded random schedules over the whole core: tabs that come, go, stall and return, links that break
-- and refuse, handlers and filters that wait, rules that are reloaded, events all the while. Afterwards every
-- tab's record is complete and in order, or it was told where it is not; what explain says is what they
-- got; and nothing is left in the core.
--
-- How many, and which: spec/support/schedules.lua.

local rig       = require "sluice.rig"
local rules     = require "spec.support.rules"
local schedules = require "spec.support.schedules"

local USERS = { "ann", "bob" }

local random = schedules.new { of = "the whole core", seeds = 1000, steps = 60, enough = 200 }
local count = random.count

local Schedule = {}
Schedule.__index = Schedule

function Schedule.new(seed)
  local self = setmetatable({
    pick = schedules.generator(seed), seed = seed, people = {}, last = {}, may = nil, slow = nil, session = nil,
  }, Schedule)
  self.ids = seed % 3 == 0 and "publisher" or "cursor"
  self.world = rig.load("spec/fixtures/schedule.lua", { seed = seed, env = { IDS = self.ids } })
  self.world:reply("GET /session", {})
  self.world:reply("GET /may", {})
  self.world:reply("GET /slow", {})
  for _, user in ipairs(USERS) do self.last[user] = 0 end
  return self
end

-- A person is a tab over all its connections: its record goes on when it comes back.
function Schedule:connect(options)
  local user = USERS[self.pick(#USERS)]
  options = options or {}
  options.headers = { ["x-user"] = user, ["x-slow"] = self.pick(4) == 1 and "1" or nil }
  local tab = self.world:connect("/events", options)
  self.people[#self.people + 1] = { user = user, tab = tab, parts = {} }
  count "connects"
  count("connects while a link waits", self.world:upstream("feed", user).state == "waiting")
end

function Schedule:person(open)
  local found = {}
  for _, person in ipairs(self.people) do
    if (not person.away) == open then found[#found + 1] = person end
  end
  return #found > 0 and found[self.pick(#found)] or nil
end

local function keep_record(person)
  for _, event in ipairs(person.tab:events()) do person.parts[#person.parts + 1] = event end
  person.tab:clear()
end

local steps = {}

function steps.connect(self) if #self.people < 6 then self:connect() end end

function steps.cut(self)
  local person = self:person(true)
  if not person then return end
  count "cuts"
  count("cuts while stalled", person.stalled == true)
  count("cuts while a filter waits", self.may ~= nil)
  count("cuts before the stream began", person.tab.state == "waiting")
  person.tab:cut()
  keep_record(person)
  person.away, person.stalled = true, nil
end

function steps.back(self)
  local person = self:person(false)
  if not person then return end
  count "returns"
  count("returns with an id of the publisher's", person.tab.last_id:find "^note " ~= nil)
  count("returns within the grace period", self.world:upstream("feed", person.user).leases == 0)
  person.tab = person.tab:reconnect()
  person.away = nil
end

function steps.stall(self)
  local person = self:person(true)
  if not person then return end
  count "stalls"
  person.tab:stall(self.pick(3) == 1 and self.pick(200) or 0)
  person.stalled = true
end

function steps.unstall(self)
  local person = self:person(true)
  if not person or not person.stalled then return end
  count("unstalls while a filter waits", self.may ~= nil)
  person.tab:unstall()
  person.stalled = nil
end

local function send(self, user, kind)
  if not self.world:upstream("feed", user).open then return end
  self.last[user] = self.last[user] + 1
  self.world:upstream("feed", user):send(kind, tostring(self.last[user]), { id = self.last[user] })
  count "events"
end

function steps.emit(self) send(self, USERS[self.pick(#USERS)], "note") end

function steps.burst(self)
  local user = USERS[self.pick(#USERS)]
  for _ = 1, self.pick(30) do send(self, user, "note") end
  count "bursts"
end

function steps.slow(self)
  send(self, USERS[self.pick(#USERS)], "slow")
  count("handlers that wait", self.slow ~= nil)
end

function steps.break_link(self)
  local upstream = self.world:upstream("feed", USERS[self.pick(#USERS)])
  if not upstream.open then return end
  count "links broken"
  count("links broken in the grace period", upstream.leases == 0)
  count("links broken while a handler waits", self.slow ~= nil)
  if self.pick(2) == 1 then upstream:cut() else upstream:finish() end
end

function steps.refuse(self)
  local status = ({ 500, 429, 503, 401, 204, 200, 200, 200 })[self.pick(8)]
  self.world:reply("GET /events", { status = status, retry_after = status > 400 and 2 or nil })
  count("upstream refuses", status ~= 200)
end

function steps.hold_filter(self)
  if self.may then return end
  self.may = self.world:hold "GET /may"
end

local function release(self, name)
  local held = self[name]
  if not held then return end
  self[name] = nil
  self.world:reply("GET /" .. name, {})
  while #held.waiting > 0 do
    count("held: " .. name)
    held:answer { status = 200 }
  end
end

function steps.release_filter(self) release(self, "may") end

function steps.hold_handler(self)
  if not self.slow then self.slow = self.world:hold "GET /slow" end
end

function steps.release_handler(self) release(self, "slow") end

function steps.hold_session(self)
  if not self.session then self.session = self.world:hold "GET /session" end
end

function steps.release_session(self) release(self, "session") end

-- The rules of the fixture, or others: links are opened elsewhere, the filter asks about other numbers. What it
-- denies is the same, so that nobody may notice, but for what they are told.
local function variant(elsewhere, other_filter)
  local file = assert(io.open "spec/fixtures/schedule.lua")
  local text = file:read "*a"
  file:close()
  local function change(from, to)
    local changed, times = text:gsub(from, to)
    assert(times == 1, from)
    text = changed
  end
  if elsewhere then change("feed%.test/events", "feed.test/events?v=2") end
  if other_filter then change("number %% 5 == 0", "number %% 3 == 0") end
  return text
end

function steps.reload(self)
  count "reloads"
  local arriving, handling = false, self.slow ~= nil and #self.slow.waiting > 0
  for _, person in ipairs(self.people) do arriving = arriving or person.tab.state == "waiting" end
  count("reloads while a filter waits", self.may ~= nil and #self.may.waiting > 0)
  count("reloads while a handler waits", handling)
  count("reloads while an arrival waits", arriving)
  local elsewhere, other_filter = self.pick(3) == 1, self.pick(2) == 1
  count("reloads to another upstream", elsewhere ~= (self.elsewhere or false))
  count("reloads to another filter", other_filter ~= (self.other_filter or false))
  self.elsewhere, self.other_filter = elsewhere, other_filter
  rules.with_file(variant(elsewhere, other_filter), function(path) self.world:reload(path) end)
  count("reloads that leave rules that still end", self.world:counters().vms > 1)
end

function steps.wait(self) self.world:advance(self.pick(20) / 10) end

function steps.wait_long(self)
  self.world:advance(self.pick(15))
  count "long waits"
end

-- The outcomes that say that the client has a trigger, or that it has not (yet).
local HAS = {
  delivered = true, replayed = true, waiting = false, pending = false, denied = false, withheld = false,
  lagged = false, later = false,
}

local function received(person)
  local got = {}
  for _, event in ipairs(person.tab:events()) do
    if event.type == "note" then got[event.data] = true end
  end
  return got
end

-- What explain says of every trigger is what the clients have got.
function steps.explain(self)
  local got = {}
  self.world:run()
  for _, person in ipairs(self.people) do
    if not person.away then got[person.user .. person.tab.tag] = received(person) end
  end
  for _, user in ipairs(USERS) do
    local triggers = self.world:explain({ topic = "user:" .. user, last = 100 }).apps[1].triggers
    for _, trigger in ipairs(triggers) do
      for _, one in ipairs(trigger.type == "note" and trigger.who or {}) do
        count("explained: " .. one.outcome)
        local has, mine = HAS[one.outcome], got[one.user .. one.tag]
        assert(has ~= nil, one.outcome)
        assert(mine and has == (mine[trigger.data] or false),
               ("%s of %s: explained as %s"):format(trigger.data, user, one.outcome))
      end
    end
  end
end

local names = schedules.choices {
  connect = 3, cut = 3, back = 4, stall = 2, unstall = 3, emit = 10, burst = 2, slow = 3, break_link = 2,
  refuse = 1, hold_filter = 1, release_filter = 1, hold_handler = 1, release_handler = 1, wait = 4,
  wait_long = 1, reload = 1, hold_session = 1, release_session = 1, explain = 1,
}

-- Everything calms down: nothing is held, nobody is stalled, everybody is there.
function Schedule:settle()
  release(self, "may")
  release(self, "slow")
  release(self, "session")
  self.world:reply("GET /events", {})
  for _, person in ipairs(self.people) do
    if not person.away then person.tab:unstall() end
  end
  self.world:advance(5)
  for _, person in ipairs(self.people) do
    if person.away or not person.tab:is_open() then
      keep_record(person)
      person.tab = person.tab:reconnect()
      person.away = nil
    end
  end
  self.world:advance(45)
  for _, user in ipairs(USERS) do send(self, user, "note") end
  self.world:advance(5)
  steps.explain(self)
  for _, person in ipairs(self.people) do keep_record(person) end
end

local function permitted(number) return number % 7 ~= 0 end

-- The record of one person: numbers rise by one over what is permitted, or a notice stands between. What
-- was withheld because a filter had no answer is told when it answers again, so that notice may come later.
local function check(person, last)
  local at, told, owed = 0, true, nil
  for _, event in ipairs(person.parts) do
    if event.type == "resync" then
      told = true
      -- a subscriber that lags when the filter answers again is told both at once
      if event.data:find('"access"', 1, true) or event.data:find('"lagged"', 1, true) then owed = nil end
      count("resyncs: " .. event.data:match '"reason":"(%a+)"')
    elseif event.type == "ready" then
      local resumed = event.data:find('"resumed":true', 1, true)
      if not resumed then told, owed = true, nil end
      count(resumed and "resumed" or "not resumed")
    else
      local number = tonumber(event.data)
      assert(permitted(number), "got what the filter denies: " .. number)
      assert(number > at, ("got %d after %d"):format(number, at))
      local expected = at + 1
      while not permitted(expected) do expected = expected + 1 end
      if not told and number ~= expected then
        owed = owed or ("expected %d, got %d, and was not told"):format(expected, number)
      end
      at, told = number, false
    end
  end
  local final = last
  while final > 0 and not permitted(final) do final = final - 1 end
  assert(not owed, owed)
  assert(told or at == final, ("ended at %d of %d and was not told"):format(at, final))
end

local function run(seed)
  local schedule = Schedule.new(seed)
  random:walk(schedule, steps, names, schedule.pick)
  schedule:settle()
  for _, person in ipairs(schedule.people) do check(person, schedule.last[person.user]) end
  local leases, subscribers = 0, schedule.world:counters().subscribers
  for _, link in ipairs(schedule.world:links()) do leases = leases + link.leases end
  assert(leases == subscribers, ("%d leases, %d subscribers"):format(leases, subscribers))
  count("lagged", schedule.world:counters().lagged > 0)
  for line in schedule.world:log():gmatch "[^\n]+" do
    local failed = line:find('msg="rule failed"', 1, true)
    count("rules that ran out of time", failed ~= nil)
    assert(failed or not line:find("level=error", 1, true), line)
  end
  schedule.world:close()
end

describe("random schedules", function()
  it("leave every record complete and in order, or told, and nothing behind", function() random:run(run) end)
end)
