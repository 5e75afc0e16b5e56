-- Seeded random schedules of a live stream's topics: joined, asked for, left, while reloads come and answers wait. The
-- stream gets the triggers of the topics that it has, all of them and no others, as a plain model says.
--
-- How many, and which: spec/support/schedules.lua.

local rules     = require "spec.support.rules"
local schedules = require "spec.support.schedules"
local seen      = require "spec.support.seen"

local ROOMS, MOST = 7, 5

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

local EXPECTED = {
  "joined", "joined again", "full", "left: named", "left: given", "left: granted", "granted late",
  "subscribe: true nil", "subscribe: nil full", "subscribe: nil forbidden", "subscribe: nil unknown", "reloads",
  "reloads while an answer waits", "refused by a reload", "left through a reload",
}

local random = schedules.new { of = "changes of topics", seeds = 30, steps = 60, expected = EXPECTED }
local count = random.count

local Schedule = {}
Schedule.__index = Schedule

-- has: how it has a room now; left: rooms that the rules name, and that it left.
function Schedule.new(seed)
  local world = rules.load(text(3), { quarantine = 0 })
  world:reply("GET /may", {})
  return setmetatable({ pick = schedules.generator(seed), world = world, tab = world:connect "/events", denied = 3,
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
  for _ in pairs(self.left) do count "left through a reload" end
end

local names = schedules.choices {
  emit = 12, join = 3, leave = 4, subscribe = 5, subscribe_waiting = 1, answer = 2, reload = 2,
}

local function run(seed)
  local self = Schedule.new(seed)
  random:walk(self, steps, names, self.pick)
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
  it("give it what it has, in order, and nothing else", function() random:run(run) end)
end)
