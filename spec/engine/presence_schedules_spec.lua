-- Seeded random schedules of presence: tabs of few users come and go on few topics, are kicked, beat, and the rules are
-- reloaded to others, at the borders of graces and beats and between them. What rules are told, and when, is what a
-- model of a few lines says. Where changes take their time, what they are told alternates, and is right in the end.
--
-- How many, and which: spec/support/schedules.lua.

local rig       = require "sluice.rig"
local schedules = require "spec.support.schedules"

local RULES, OTHERS = "spec/fixtures/presence.lua", "spec/fixtures/presence_none.lua"
local USERS, ROOMS = { "ann", "bob", "cid" }, { "a", "b" }
local MOMENTS = { 0.001, 0.5, 1, 2, 4.999, 5, 5.001, 9.999, 10, 29.999, 30 }

local random = schedules.new { of = "presence", seeds = 600, steps = 60, enough = 200 }
local count = random.count

-- Times of the model are whole milliseconds.

local Model = {}
Model.__index = Model

function Model.new()
  return setmetatable({ now = 0, entries = {}, told = {}, grace = 5000, beat = 0, on = true }, Model)
end

function Model:entry(user, room)
  local key = user .. " " .. room
  if not self.entries[key] then
    self.entries[key] = { key = key, user = user, room = room, tabs = 0, gone = 0, silent = 0, online = false }
  end
  return self.entries[key]
end

function Model:look(entry)
  local online = self.on and (entry.tabs > 0 or self.now < entry.gone) and (self.beat == 0 or self.now < entry.silent)
  if online ~= entry.online then
    entry.online = online
    local line = ("%d %s %s 1/%s"):format(self.now, entry.user, online and "online" or "offline", entry.room)
    if self.on then self.told[#self.told + 1] = line end
  end
  if not online and entry.tabs == 0 then entry.silent, entry.gone = 0, 0 end
end

function Model:join(user, room)
  local entry = self:entry(user, room)
  count("returns within the grace", entry.tabs == 0 and entry.online)
  entry.tabs = entry.tabs + 1
  self:look(entry)
end

function Model:leave(user, room)
  local entry = self:entry(user, room)
  entry.tabs = entry.tabs - 1
  if entry.tabs == 0 then entry.gone = self.now + self.grace end
  self:look(entry)
end

function Model:beaten(user, room)
  local entry = self:entry(user, room)
  if entry.tabs == 0 and not entry.online then return false end
  entry.silent = self.now + self.beat
  self:look(entry)
  return true
end

-- Nothing comes by itself; what goes, goes once.
function Model:advance(ms)
  local till, due = self.now + ms, {}
  for _, entry in pairs(self.entries) do
    local at = math.min(entry.tabs == 0 and entry.gone or math.huge, self.beat > 0 and entry.silent or math.huge)
    if entry.online and at <= till then due[#due + 1] = { at = at, entry = entry } end
  end
  for _, item in ipairs(due) do
    self.now = item.at
    count "ends of graces and beats"
    self:look(item.entry)
  end
  self.now = till
end

function Model:reload(on, grace, beat)
  local was, had = self.on, self.beat
  self.on, self.grace, self.beat = on, grace, beat
  for _, entry in pairs(self.entries) do
    if not on then
      entry.online, entry.gone, entry.silent = false, 0, 0
    else
      if was and had == 0 and beat > 0 and (entry.tabs > 0 or entry.online) then entry.silent = self.now + beat end
      self:look(entry)
    end
  end
end

local Schedule = {}
Schedule.__index = Schedule

function Schedule.new(seed)
  local self = setmetatable({ pick = schedules.generator(seed), tabs = {}, model = Model.new(), env = {} }, Schedule)
  self.slow = seed % 3 == 0
  if self.slow then self.env.SLOW = "yes" end
  self.world = rig.load(RULES, { seed = seed, env = self.env })
  self.world:reply("POST /change", { status = 204 })
  return self
end

local steps = {}

function steps.connect(self)
  if #self.tabs >= 8 then return end
  local user, room = USERS[self.pick(#USERS)], ROOMS[self.pick(#ROOMS)]
  local both = self.pick(4) == 1
  local tab = self.world:connect("/events?room=" .. room .. (both and "&topic=room:1/a" or ""),
    { headers = { ["x-user"] = user } })
  local rooms = { room }
  if both and room ~= "a" then rooms[2] = "a" end
  self.tabs[#self.tabs + 1] = { tab = tab, user = user, rooms = rooms }
  for _, name in ipairs(rooms) do self.model:join(user, name) end
  count "connects"
  count("connects on two topics", #rooms == 2)
end

local function gone(self, tab)
  for _, room in ipairs(tab.rooms) do self.model:leave(tab.user, room) end
end

function steps.cut(self)
  if #self.tabs == 0 then return end
  local tab = table.remove(self.tabs, self.pick(#self.tabs))
  tab.tab:cut()
  gone(self, tab)
  count "cuts"
end

-- Closed and back at once, as by a lifetime's end.
function steps.flap(self)
  if #self.tabs == 0 then return end
  local tab = self.tabs[self.pick(#self.tabs)]
  tab.tab = tab.tab:reconnect()
  gone(self, tab)
  for _, room in ipairs(tab.rooms) do self.model:join(tab.user, room) end
  count "flaps"
end

function steps.kick(self)
  local user = USERS[self.pick(#USERS)]
  if self.pick(4) > 1 then return end
  self.world:request("POST", "/kick", { headers = { ["x-user"] = user } })
  for i = #self.tabs, 1, -1 do
    if self.tabs[i].user == user then
      gone(self, table.remove(self.tabs, i))
      count "kicked"
    end
  end
end

function steps.beat(self)
  if self.model.beat == 0 or not self.model.on then return end
  local user, room = USERS[self.pick(#USERS)], ROOMS[self.pick(#ROOMS)]
  local answer = self.world:request("POST", "/beat/" .. room, { headers = { ["x-user"] = user }, tag = false })
  if not self.slow then assert.equal(tostring(self.model:beaten(user, room)), answer.body) end
  count("beats", answer.body == "true")
  count("beats of nobody", answer.body == "false")
end

function steps.wait(self)
  local seconds = MOMENTS[self.pick(#MOMENTS)]
  self.world:advance(seconds)
  self.model:advance(math.floor(seconds * 1000 + 0.5))
end
steps.wait_again = steps.wait

function steps.reload(self)
  if self.pick(3) > 1 then return end
  local on = self.slow or self.pick(4) > 1
  local grace, beat = ({ 5, 10, 0 })[self.pick(3)], ({ 0, 0, 30 })[self.pick(3)]
  count("reloads that forget", self.model.on and not on)
  count("reloads that begin", not self.model.on and on)
  count("reloads to beats", self.model.beat == 0 and beat > 0)
  count("reloads from beats", self.model.beat > 0 and beat == 0)
  self.env.GRACE, self.env.BEAT = tostring(grace), tostring(beat)
  self.world:reload(on and RULES or OTHERS)
  -- Rules without presence say nothing of beats either.
  self.model:reload(on, grace * 1000, on and beat * 1000 or 0)
end

function steps.hold(self)
  if not self.slow or self.held then return end
  self.held = self.world:hold "POST /change"
  count "changes that wait"
end

function steps.release(self)
  if not self.held then return end
  local fails = self.pick(4) == 1
  for _ = 1, #self.held.waiting do self.held:answer { status = fails and 500 or 204 } end
  self.world:reply("POST /change", { status = 204 })
  self.held = nil
end

local function told(world, kind)
  local list = {}
  for _, trigger in ipairs(world:triggers "log") do
    if trigger.type == kind then
      list[#list + 1] = ("%d %s"):format(math.floor(trigger.at * 1000 + 0.5), trigger.data)
    end
  end
  return list
end

local function check_exact(self)
  local expected, got = self.model.told, told(self.world, "change")
  table.sort(expected)
  table.sort(got)
  assert.same(table.concat(expected, "\n"), table.concat(got, "\n"))
  for _, room in ipairs(self.model.on and ROOMS or {}) do
    local list = {}
    for _, user in ipairs(USERS) do
      if self.model:entry(user, room).online then list[#list + 1] = user end
    end
    assert.same(list, self.world:request("GET", "/who/" .. room).json.list)
  end
end

-- What a call says first is seen, however it ends: the changes of one user on one topic alternate.
local function check_slow(self)
  steps.release(self)
  for _ = 1, 4 do self.world:advance(30) end
  local last, ended = {}, #told(self.world, "change")
  local begun = told(self.world, "begun")
  for _, line in ipairs(begun) do
    local user, status, room = line:match "^%d+ (%S+) (%S+) 1/(%S+)$"
    assert.equal(status == "online" and "offline" or "online", last[user .. room] or "offline")
    last[user .. room] = status
  end
  count("changes that fail", ended < #begun)
  for _, room in ipairs(ROOMS) do
    local there = {}
    for _, user in ipairs(self.world:request("GET", "/who/" .. room).json.list) do there[user] = true end
    for _, user in ipairs(USERS) do
      assert.equal(self.model.beat == 0 and self.model:entry(user, room).tabs > 0, there[user] or false)
      assert.equal(there[user] and "online" or "offline", last[user .. room] or "offline")
    end
  end
end

local names = schedules.choices(steps)

local function run(seed)
  local self = Schedule.new(seed)
  random:walk(self, steps, names, self.pick, not self.slow and check_exact)
  if self.slow then check_slow(self) end
  for _, tab in ipairs(self.tabs) do tab.tab:close() end
  self.world:advance(60)
  assert.same(0, self.world:counters().subscribers)
  self.world:close()
end

describe("random schedules of presence", function()
  it("are told as the model says, and leave nothing behind", function() random:run(run) end)
end)
