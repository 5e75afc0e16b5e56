-- Seeded random schedules of a live stream's topics: joined, asked for, left, while reloads come and answers wait. The
-- stream gets the triggers of the topics that it has, all of them and no others, as a plain model says.
--
-- SCHEDULES=n sets how many, SEED=n the first; a failure names its seed.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local SCHEDULES = tonumber(os.getenv "SCHEDULES") or 30
local FIRST = tonumber(os.getenv "SEED") or 1
local STEPS, ROOMS, MOST = 60, 7, 5

-- `denied`: the room that subscribe does not grant; room 6 waits, room 7 fails.
local function text(denied)
  return ([[
    local http = require "sluice.http"
    local room = app:topic("room:{n}", { history = { size = 8, ttl = 300 }, subscribe = function(sub, params)
      if params.n == "7" then error "who knows" end
      if params.n == "6" then http.get "http://app.test/may" end
      return params.n ~= "%d"
    end })
    app:stream("events", { path = "/events", topics_max = %d, topics = function() return { room "1", room "2" } end })
    app:route("change", "POST /change/{what}/{n}", { run = function(req, params)
      local sub = app:subscribers()[1]
      local done, code = sub[params.what](sub, room(params.n))
      return 200, tostring(done) .. " " .. tostring(code)
    end })
    app:route("emit", "POST /emit/{n}", { run = function(req, params)
      room(params.n):emit("said", req.body)
      return 204
    end })
  ]]):format(denied, MOST)
end

local happened = {}
local function count(what) happened[what] = (happened[what] or 0) + 1 end

local function generator(seed)
  local state = seed * 2654435761 % 4294967296
  return function(below)
    state = (state * 1664525 + 1013904223) % 4294967296
    return math.floor(state / 65536) % below + 1
  end
end

local Schedule = {}
Schedule.__index = Schedule

-- has: how it has a room now; left: rooms that the rules name, and that it left.
function Schedule.new(seed)
  local world = rules.load(text(3), { quarantine = 0 })
  world:reply("GET /may", {})
  return setmetatable({ pick = generator(seed), world = world, tab = world:connect "/events", denied = 3,
    has = { "named", "named" }, left = {}, expected = {}, serial = 0 }, Schedule)
end

function Schedule:has_count()
  local number = self.waiting and 1 or 0
  for _ in pairs(self.has) do number = number + 1 end
  return number
end

function Schedule:change(what, n) return self.world:request("POST", ("/change/%s/%d"):format(what, n)) end

function Schedule:got(n, how)
  self.has[n], self.left[n] = how, nil
end

local steps = {}

function steps.emit(self)
  local n = self.pick(ROOMS)
  self.serial = self.serial + 1
  self.world:request("POST", "/emit/" .. n, { body = tostring(self.serial) })
  if self.has[n] then self.expected[#self.expected + 1] = tostring(self.serial) end
end

function steps.join(self)
  local n = self.pick(ROOMS)
  local full = not self.has[n] and self:has_count() >= MOST
  assert.equal(full and "nil full" or "true nil", self:change("join", n).body)
  count(full and "full" or self.has[n] and "joined again" or "joined")
  if not full then self:got(n, "given") end
end

function steps.leave(self)
  local n = self.pick(ROOMS)
  assert.equal(tostring(self.has[n] ~= nil) .. " nil", self:change("leave", n).body)
  if not self.has[n] then return end
  count("left: " .. self.has[n])
  self.left[n] = n <= 2 or nil
  self.has[n] = nil
end

function steps.subscribe(self)
  local n = self.pick(ROOMS)
  if n == 6 and self.held then return end
  local answer = self:change("subscribe", n)
  local expect = self.has[n] and "true nil" or self:has_count() >= MOST and "nil full" or n == 7 and "nil unknown"
    or n == self.denied and "nil forbidden" or "true nil"
  assert.equal(expect, answer.body)
  count("subscribe: " .. expect)
  if expect == "true nil" and not self.has[n] then self:got(n, "granted") end
end

function steps.subscribe_waiting(self)
  if self.held or self.has[6] or self:has_count() >= MOST then return end
  self.held = self.world:hold "GET /may"
  self.waiting = self:change("subscribe", 6)
end

function steps.answer(self)
  local held = self.held
  if not held then return end
  self.held = nil
  self.world:reply("GET /may", {})
  while #held.waiting > 0 do held:answer { status = 200 } end
  self.world:run()
  assert.equal("true nil", self.waiting:result().body)
  self.waiting = nil
  count "granted late"
  if not self.has[6] then self:got(6, "granted") end
end

-- The new rules name what the old ones did, and grant another room.
function steps.reload(self)
  if self.has[6] == "granted" and self.held then return end -- whose answer the review would wait for
  count(self.held and "reloads while an answer waits" or "reloads")
  self.denied = 2 + self.pick(3)
  rules.reload(self.world, text(self.denied))
  self.world:advance(1)
  for n, how in pairs(self.has) do
    if how == "granted" and n == self.denied then
      count "refused by a reload"
      self.has[n] = nil
    end
  end
  for n in pairs(self.left) do count("left through a reload", n) end
end

local names = {}
for name, weight in pairs {
  emit = 12, join = 3, leave = 4, subscribe = 5, subscribe_waiting = 1, answer = 2, reload = 2,
} do
  for _ = 1, weight do names[#names + 1] = name end
end
table.sort(names)

local function run(seed)
  local self = Schedule.new(seed)
  for _ = 1, STEPS do steps[names[self.pick(#names)]](self) end
  steps.answer(self)
  for n = 1, ROOMS do
    self.world:request("POST", "/emit/" .. n, { body = "last " .. n })
    if self.has[n] then self.expected[#self.expected + 1] = "last " .. n end
  end
  assert.same(self.expected, seen.data(self.tab, "said"))
  self.world:log()
  self.world:close()
end

describe("random changes of a stream's topics", function()
  it("give it what it has, in order, and nothing else", function()
    for seed = FIRST, FIRST + SCHEDULES - 1 do
      local good, fault = xpcall(run, debug.traceback, seed)
      assert(good, ("SEED=%d: %s"):format(seed, type(fault) == "table" and tostring(fault.message) or tostring(fault)))
    end
    local report = {}
    for what, times in pairs(happened) do report[#report + 1] = ("%-40s %d"):format(what, times) end
    table.sort(report)
    print(("\n%d schedules of %d steps:\n  %s"):format(SCHEDULES, STEPS, table.concat(report, "\n  ")))
    local all = { "joined", "joined again", "full", "left: named", "left: given", "left: granted", "granted late",
      "subscribe: true nil", "subscribe: nil full", "subscribe: nil forbidden", "subscribe: nil unknown", "reloads",
      "reloads while an answer waits", "refused by a reload", "left through a reload" }
    for _, what in ipairs(all) do assert(SCHEDULES < 30 or happened[what], what .. " never occurred") end
  end)
end)
