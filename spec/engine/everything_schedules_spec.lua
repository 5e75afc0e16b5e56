-- Seeded random schedules of all that topics can be declared with, at once: histories, what newcomers get, limits,
-- presence, audiences, filters, publishers' ids; with streams that stall, are cut, come back, are kicked and joined to
-- more topics, while answers of the rules' own questions wait and reloads change all of it.
--
-- Whatever happens, a topic's triggers come in their order, nothing is left at the end, and, in the schedules where
-- nobody is refused anything ("open"), between two triggers that a stream got none is missing unless it was told.
--
-- How many, and which: spec/support/schedules.lua.

local rules     = require "spec.support.rules"
local schedules = require "spec.support.schedules"

local TABS = 12
local USERS = { "ann", "bob", "slow", "gone" }
local QUESTIONS = { "who", "change", "filter", "audience", "may", "connect", "disconnect", "topics", "snapshot" }

local EXPECTED = {
  "close", "cut", "stall", "unstall", "comes back resumed", "in order", "none missing", "late answer: snapshot",
  "late answer: topics", "late answer: change", "late answer: who", "reload while it waits: connect",
  "reload while it waits: change",
}

local random = schedules.new { of = "everything", seeds = 40, steps = 80, expected = EXPECTED }
local count = random.count

-- ---- rules ----

-- One of the list; "" stands for nothing.
local function one_of(pick, list) return list[pick(#list)] end

local BEGINS = { "retain = true,", "retain = { ttl = 7 },", "", "",
  "snapshot = function() ask 'snapshot' return { { 'state', 'one' }, { 'state', ('x'):rep(3000) } } end,",
  "snapshot = function(sub, params) if params.n == '2' then error 'no' end return 'state', 'now' end," }
local FILTERS = { "", "", "", "filter = function(ev) return ev.type ~= 'b' end,",
  "filter = function(ev) if ev.type == 'b' then ask 'filter' end return true end,",
  "filter = function(ev) if ev.type == 'b' then error 'no' end return true end," }
local AUDIENCES = { "", "", "", "",
  "audience = { ttl = 5, key = function(ev) return ev.type end, ask = function() return { 'ann' } end },",
  "audience = { key = function(ev) return ev.type end, ask = function(_, users) ask 'audience' return users end }," }
local CHANGES = { "", "change = function() ask 'change' end", "change = function() error 'no' end",
  "change = function(user, status, params) %s(params.n):emit('presence', user .. status) end" }
local SUBSCRIBES = { "", "subscribe = function() ask 'may' return true end,",
  "subscribe = function(sub, params) return params.n ~= '2' end,", "subscribe = function() error 'no' end," }

local function topic(pick, name, open)
  local presence = ("presence = { grace = %d, %s %s },"):format(pick(4) - 1,
    one_of(pick, { "", "", ("beat = %d,"):format(pick(10)) }), one_of(pick, CHANGES):gsub("%%s", name))
  return ("%s = app:topic('%s:{n}', {%s})"):format(name, name, table.concat({
    one_of(pick, { "", ("history = { size = %d, ttl = %d },"):format(pick(12), pick(30)) }),
    one_of(pick, BEGINS),
    one_of(pick, { "", "", ("limit = { rate = %d, burst = %d },"):format(pick(3), pick(6)) }),
    one_of(pick, { "", presence }),
    open and "" or one_of(pick, FILTERS),
    open and "" or one_of(pick, AUDIENCES),
    one_of(pick, { "", "", "id = 'publisher'," }),
    one_of(pick, { "", "", "event = 'topic'," }),
    one_of(pick, SUBSCRIBES),
  }, " "))
end

local function stream(pick, open)
  return ([[app:stream("events", { path = "/events", identity = session, topics_max = %d,
      queue = { frames = %d }, %s heartbeat = %s, lifetime = %d, topics = function() %s return { %s } end })
  ]]):format(pick(6) + 1, pick(5) + 1,
    table.concat({ one_of(pick, { "suppress = 'client',", "" }),
      not open and one_of(pick, { "ready = 'header',", "" }) or "",
      one_of(pick, { "connect = function(sub) ask 'connect' sub:join(alpha '3') end,", "" }),
      one_of(pick, { "disconnect = function(sub) sub:leave(alpha '1') ask 'disconnect' end,", "" }) }, " "),
    one_of(pick, { "0", "5", "{ every = 3, event = 'beat', always = true }" }), one_of(pick, { 0, 30 }),
    one_of(pick, { "ask 'topics'", "" }),
    one_of(pick, { "alpha '1'", "alpha '1', beta '2'", "alpha '1', alpha '2', beta '1'" }))
end

local FACE = [[
  app:route("do", "POST /do/{what}/{topic}/{n}", { identity = session, run = function(req, params)
    local what, topic = params.what, (params.topic == "alpha" and alpha or beta)(params.n)
    local publishes = params.topic == "alpha" and ALPHA_IDS or params.topic == "beta" and BETA_IDS
    if what == "emit" then
      topic:emit(req.query.type, req.body, { id = publishes and req.query.id or nil, replaces = req.query.replaces,
        within = req.query.within and 1 or nil, tag = req.tag })
    elseif what == "resync" then topic:resync "rule"
    elseif what == "kick" then app:disconnect { user = req.user }
    elseif what == "final" then app:disconnect({ user = req.user }, { final = true })
    elseif what == "forget" then app:forget(topic, req.user)
    elseif what == "beat" then pcall(function() app:presence(topic):beat(req.user) end)
    else for _, sub in ipairs(app:subscribers { user = req.user }) do sub[what](sub, topic) end end
    return 204
  end })
]]

local function text(pick, open)
  local alpha, beta = topic(pick, "alpha", open), topic(pick, "beta", open)
  local function ids(declared) return tostring(declared:find("id = 'publisher'", 1, true) ~= nil) end
  return table.concat({ [[
    local http, time = require "sluice.http", require "sluice.time"
    local function ask(what) return http.get("http://app.test/" .. what) end
    local session = sluice.identity(function(req)
      local user = req.headers["x-user"]
      if user == "slow" then ask "who" end
      return { user = user, expires = user == "gone" and time.now() + 20 or nil }
    end)
    local alpha, beta]], alpha, beta, "local ALPHA_IDS, BETA_IDS = " .. ids(alpha) .. ", " .. ids(beta),
    stream(pick, open), FACE }, "\n")
end

-- ---- a schedule ----

local Schedule = {}
Schedule.__index = Schedule

function Schedule.new(seed)
  local self = setmetatable({ pick = schedules.generator(seed), open = seed % 2 == 0, tabs = {}, every = {}, held = {},
    serial = 0 }, Schedule)
  self.world = rules.load(text(self.pick, self.open), { quarantine = 0, seed = seed })
  for _, name in ipairs(QUESTIONS) do self.world:reply("GET /" .. name, {}) end
  return self
end

function Schedule:tab() return self.tabs[self.pick(math.max(#self.tabs, 1))] end

function Schedule:act(what, query, serial, name, n)
  local tab = self:tab()
  name, n = name or one_of(self.pick, { "alpha", "beta" }), n or self.pick(3)
  self.world:request("POST", ("/do/%s/%s/%d"):format(what, name, n), {
    headers = { ["x-user"] = one_of(self.pick, USERS) }, query = query,
    body = serial and ("%s:%d|%s"):format(name, n, serial), tag = not self.open and tab and tab.tag or nil })
end

local steps = {}

function steps.connect(self)
  if #self.tabs >= TABS then return end
  local asked = { topic = { "alpha:" .. self.pick(3), "beta:" .. self.pick(3) } }
  local tab = self.world:connect("/events", { headers = { ["x-user"] = one_of(self.pick, USERS) },
    query = self.pick(3) == 1 and asked or nil })
  self.tabs[#self.tabs + 1], self.every[#self.every + 1] = tab, tab
end

for _, what in ipairs { "close", "cut", "stall", "unstall" } do
  steps[what] = function(self)
    local tab = self:tab()
    if not tab or not tab:is_open() then return end
    tab[what](tab)
    count(what)
  end
end

function steps.reconnect(self)
  local at = self.pick(math.max(#self.tabs, 1))
  if not self.tabs[at] or self.tabs[at]:is_open() or not self.tabs[at].status then return end
  self.tabs[at] = self.tabs[at]:reconnect()
  self.every[#self.every + 1] = self.tabs[at]
  count("comes back resumed", self.tabs[at].ready and self.tabs[at].ready.resumed and 1 or 0)
end

function steps.emit(self)
  local pick = self.pick
  local name, n = one_of(pick, { "alpha", "beta" }), pick(2)
  for _ = 1, pick(8) do
    self.serial = self.serial + 1
    self:act("emit", { type = one_of(pick, { "a", "a", "b" }), id = pick(3) == 1 and "id" .. pick(6) or nil,
      replaces = not self.open and pick(3) == 1 and "k" .. pick(2) or nil },
      self.serial .. "|" .. ("x"):rep(one_of(pick, { 1, 1, 5000 })), name, n)
  end
end

function steps.hold_back(self) self:act("emit", { type = "held", replaces = "k", within = "1" }, "held") end

function steps.act(self)
  local all = { "resync", "kick", "forget", "beat", "join", "subscribe", "join", "subscribe" }
  for _, what in ipairs { "final", "leave", "leave" } do if not self.open then all[#all + 1] = what end end
  self:act(one_of(self.pick, all))
end

function steps.hold(self)
  local name = one_of(self.pick, QUESTIONS)
  self.held[name] = self.held[name] or self.world:hold("GET /" .. name)
end

function steps.answer(self, name)
  name = name or one_of(self.pick, QUESTIONS)
  local held = self.held[name]
  if not held then return end
  self.held[name] = nil
  self.world:reply("GET /" .. name, {})
  count("late answer: " .. name, #held.waiting)
  while #held.waiting > 0 do held:answer { status = 200 } end
  self.world:run()
end

function steps.advance(self) self.world:advance(one_of(self.pick, { 0.001, 0.5, 1, 3, 10, 40 })) end

function steps.reload(self)
  rules.reload(self.world, text(self.pick, self.open))
  for name, held in pairs(self.held) do count("reload while it waits: " .. name, #held.waiting) end
end

local names = schedules.choices { connect = 8, close = 2, cut = 3, reconnect = 5, stall = 3, unstall = 3, emit = 14,
  hold_back = 3, act = 12, hold = 3, answer = 4, advance = 6, reload = 3 }

-- ---- what must hold ----

-- The topic's name and its trigger's place in the order, of an event that is one of ours.
local function of_event(places, event)
  local name = event.data:match "^(%w+:%d)|%d+|"
  if places[event.data] then return name, places[event.data] end
end

local function check_order(places, tab)
  local last = {}
  for i, event in ipairs(tab:events()) do
    local name, place = of_event(places, event)
    if name then
      count "in order"
      assert((last[name] or 0) <= place, ("%s: event %d comes behind a later one of %s"):format(tab.name, i, name))
      last[name] = place
    end
  end
end

local function check_complete(places, of, tab)
  local last, got = {}, {}
  for i, event in ipairs(tab:events()) do
    local name, place = of_event(places, event)
    if name then
      got[place] = true
      for _, other in ipairs(last[name] and of[name] or {}) do
        if other > last[name] and other < place then
          assert(got[other], ("%s: before event %d one of %s is missing"):format(tab.name, i, name))
        end
      end
      count("none missing", last[name] and 1 or 0)
      last[name] = place
    elseif event.data:find '"reason":' then
      for known in pairs(of) do
        if event.data:find(known, 1, true) then last[known] = nil end
      end
    end
  end
end

local function run(seed)
  local self = Schedule.new(seed)
  random:walk(self, steps, names, self.pick)
  for _, name in ipairs(QUESTIONS) do steps.answer(self, name) end
  local places, of = {}, {}
  for place, trigger in ipairs(self.world:triggers()) do
    local name = trigger.data:match "^(%w+:%d)|%d+|"
    if name then
      places[trigger.data], of[name] = place, of[name] or {}
      table.insert(of[name], place)
    end
  end
  for _, tab in ipairs(self.every) do
    check_order(places, tab)
    if self.open then check_complete(places, of, tab) end
  end
  self.world:log()
  self.world:close()
end

describe("random schedules of everything", function()
  it("keep the order, tell what is missing, and leave nothing behind", function() random:run(run) end)
end)
