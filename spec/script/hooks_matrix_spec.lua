-- Every kind of hook times everything that a rule can do wrong: what it may not cost, and whom. The kinds come from the
-- core's own table and the bombs from their file, so that neither grows without a case here.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

local RULES, SLICE, MEMORY = "spec/fixtures/hooks.lua", 0.02, 16 * 1048576

-- What each bomb is logged as. `late`: after the deadline. `sense`: wrong only where an answer is read. `slice`: of its
-- own, where another bound is to be the first one on a slow machine, too. `sleepless`: where it may not wait.
local BOMBS = {
  ["loops"]                   = { logged = "stopped: ran for more than 20 ms" },
  ["recurses"]                = { logged = "stack overflow", slice = 5 },
  ["allocates"]               = { logged = "not enough memory", slice = 5 },
  ["repeats a gigabyte"]      = { logged = "string.rep: a result above" },
  ["raises"]                  = { logged = "as told" },
  ["raises what loops"]       = { logged = "an error that is a table" },
  ["sleeps for ever"]         = { logged = "killed: not done after its deadline of", late = true,
    sleepless = "stopped: ran for more than 20 ms" },
  ["yields for ever"]         = { logged = "stopped: ran for more than 20 ms" },
  ["yields to nobody"]        = { logged = "coroutine.yield outside a coroutine" },
  ["loops and eats the kill"] = { logged = "stopped: ran for more than 20 ms" },
  ["loops in a coroutine"]    = { logged = "stopped: ran for more than 20 ms" },
  ["matches for ever"]        = { logged = "stopped: ran for more than 20 ms" },
  ["returns nonsense"]        = { logged = "must return|must be", sense = true },
}

local function matches_one(line, patterns)
  for text in patterns:gmatch "[^|]+" do
    if line:find(text, 1, true) then return true end
  end
  return false
end

local Cell = {}
Cell.__index = Cell

function Cell.new(kind, bomb)
  local world = rig.load(RULES, { slice = BOMBS[bomb].slice or SLICE, memory = MEMORY, quarantine = 0 })
  local self = setmetatable({ kind = kind, bomb = BOMBS[bomb], bomb_name = bomb, world = world }, Cell)
  self.ann = self:connect "ann"
  return self
end

function Cell:connect(user, path) return self.world:connect(path or "/events", { headers = { ["x-user"] = user } }) end

function Cell:post(path, user) return self.world:request("POST", path, { headers = { ["x-user"] = user } }) end

function Cell:arm() self.world:request("PUT", "/fuses", { json = { [self.kind] = self.bomb_name } }) end

function Cell:disarm() self.world:request("PUT", "/fuses", { body = "{}" }) end

-- Until the bomb has done what it can, and another user was served meanwhile.
function Cell:wait(deadline)
  self:serves "ann"
  if self.bomb.late then self.world:advance((deadline or 10) + 0.1) end
end

function Cell:tick(user, data) self.world:upstream("feed", user):send("tick", data) end

-- The user's tabs come and go, have answers, triggers to all and events of their own.
function Cell:serves(user)
  local tab = self:connect(user, "/events?topic=asked:1")
  assert.equal(200, tab.status)
  assert.equal(204, self:post("/run", user).status)
  self:tick(user, "served")
  assert.same({ "begun", "handling", "tick" }, tab:types())
  tab:close()
end

local function reasons(tab)
  local list = {}
  for _, resync in ipairs(seen.resyncs(tab)) do list[#list + 1] = resync.reason end
  return table.concat(list, ", ", 1)
end

local function count(tab, kind) return #seen.data(tab, kind) end

-- How the hook's failure looks from outside: each arms it and lets the bomb go off. Returns false where nothing failed.
local CASES = {}

local function refuses(path, route)
  return function(cell)
    cell:arm()
    local tab, answer = cell:connect("eve", path), route and cell:post(route, "eve")
    cell:wait()
    assert.equal(503, tab.status)
    if answer then assert.equal(503, answer:result().status) end
  end
end

CASES["an identity function"] = refuses("/events", "/run")
CASES["a stream's topics"]    = refuses "/events"
CASES["a topic's subscribe"]  = refuses "/events?topic=asked:1"
CASES["an upstream's key"]    = refuses "/events"

CASES["a filter"] = function(cell)
  local eve = cell:connect "eve"
  cell:arm()
  cell:post("/emit/held", "ann")
  assert.equal(1, count(cell.ann, "held"))
  cell:wait()
  cell:disarm()
  eve:clear()
  cell.world:advance(60)
  assert.equal("access", reasons(eve))
  cell:post("/emit/free", "ann")
  assert.same({ 0, 1 }, { count(eve, "held"), count(eve, "free") })
  assert.equal("access", reasons(eve))
end

-- Nobody knows: eve is told to re-read when somebody does again.
local function watches(cell)
  local eve = cell:connect "eve"
  cell:arm()
  cell:post("/watch/held", "ann")
  cell:wait()
  cell:disarm()
  eve:clear()
  cell.world:advance(60)
  assert.equal("access", reasons(eve))
  cell:post("/watch/free", "ann")
  assert.same({ 0, 1 }, { count(eve, "held"), count(eve, "free") })
  assert.equal("access", reasons(eve))
end

CASES["an audience's key"] = watches
CASES["an audience's ask"] = watches

-- She lives on without it, and is told.
CASES["a topic's snapshot"] = function(cell)
  cell:arm()
  local eve = cell:connect "eve"
  cell:wait()
  cell:disarm()
  cell:post("/emit/free", "ann")
  assert.is_true(eve:is_open())
  assert.equal(1, count(eve, "free"))
  assert.equal("snapshot", reasons(eve))
end

CASES["an upstream's request"] = function(cell)
  cell:arm()
  local eve = cell:connect "eve"
  cell:wait()
  assert.is_true(eve:is_open())
  assert.is_false(cell.world:upstream("feed", "eve").open)
  if not cell.bomb.late then
    cell.world:advance(5)
    local tries = cell.world:counters().failures
    assert.is_true(tries >= 3 and tries <= 20, tries) -- with backoff
  end
  cell:disarm()
  cell.world:advance(cell.bomb.late and 13 or 3)
  assert.is_true(cell.world:upstream("feed", "eve").open)
  cell:tick("eve", "after all")
  assert.same({ "after all" }, seen.data(eve, "tick"))
end

CASES["an event handler"] = function(cell)
  local eve = cell:connect "eve"
  cell:arm()
  eve:clear()
  cell:tick("eve", "1")
  cell:wait()
  local failed = not cell.bomb.sense
  assert.equal(failed and "rule" or "", reasons(eve))
  assert.same(failed and {} or { "1" }, seen.data(eve, "tick"))
  cell:disarm()
  cell:tick("eve", "2")
  assert.equal("2", eve:events()[#eve:events()].data)
  assert.equal(failed and 1 or 2, count(eve, "handling"))
  return failed
end

CASES["a route"] = function(cell)
  cell:arm()
  local before = count(cell.ann, "begun")
  local answer = cell:post("/run", "eve")
  assert.equal(before, count(cell.ann, "begun"))
  cell:wait()
  assert.equal(500, answer:result().status)
  for _, user in ipairs(seen.data(cell.ann, "begun")) do assert.not_equal("eve", user) end
end

local function publish(cell)
  return cell.world:publish("/publish", { type = "note" }, { headers = { ["x-user"] = "eve" } })
end

CASES["an ingest's authorize"] = function(cell)
  cell:arm()
  local answer = publish(cell)
  cell:wait()
  assert.equal(503, answer:result().status)
end

CASES["an ingest's handler"] = function(cell)
  cell:arm()
  local before = count(cell.ann, "begun")
  local answer = publish(cell)
  assert.equal(before, count(cell.ann, "begun"))
  cell:wait()
  assert.equal(500, answer:result().status)
  for _, user in ipairs(seen.data(cell.ann, "begun")) do assert.not_equal("eve", user) end
end

CASES["a timer"] = function(cell)
  cell:arm()
  cell.world:advance(1)
  cell:wait()
  cell:disarm()
  local before = count(cell.ann, "beat")
  cell.world:advance(2.1)
  assert.is_true(count(cell.ann, "beat") >= before + 2)
  return not cell.bomb.sense
end

CASES["a stream's connect"] = function(cell)
  cell:arm()
  local eve = cell:connect "eve"
  cell:wait()
  cell:post("/emit/free", "ann")
  assert.is_true(eve:is_open())
  assert.equal(1, count(eve, "free"))
  return not cell.bomb.sense
end

CASES["a stream's disconnect"] = function(cell)
  local eve = cell:connect "eve"
  cell:arm()
  eve:close()
  assert.equal(1, cell.world:counters().subscribers)
  cell:wait()
  assert.equal(1, cell.world:counters().streams)
  return not cell.bomb.sense
end

CASES["a topic's presence change"] = function(cell)
  cell:arm()
  local eve = cell:connect "eve"
  cell:wait()
  cell:disarm()
  cell:post("/emit/free", "ann")
  assert.is_true(eve:is_open())
  assert.equal(1, count(eve, "free"))
  cell.world:advance(1)
  assert.equal(cell.bomb.sense and "" or "rule", reasons(eve))
  return not cell.bomb.sense
end

CASES["the library's background"] = function(cell)
  local function posted() return cell.world:request("GET", "/posted/eve").body end
  cell:arm()
  assert.equal(204, cell:post("/read", "eve").status)
  cell:wait(60)
  assert.equal(cell.bomb.sense and "1" or "nil", posted())
  cell:disarm()
  cell.world:advance(20) -- less than what a silent upstream is given
  assert.equal("1", posted())
  return not cell.bomb.sense
end

-- One error line a failure (or, above five in ten seconds, their number), of the right kind, and where it was.
local function assert_told(cell, failed)
  local failures = cell.world:counters().failures
  local lines, told = cell.world:log()
  for number in lines:gmatch "kept_back=(%d+)" do told = told + number end
  assert.is_true(told == failures or told >= 5 and told < failures, lines)
  assert.equal(failed, failures > 0, lines)
  for line in lines:gmatch "[^\n]*level=error[^\n]*" do
    local logged = cell.kind == "an audience's key" and cell.bomb.sleepless or cell.bomb.logged
    assert.is_true(matches_one(line, logged), line)
    assert.truthy(line:find('declared=%S*hooks.lua:%d'), line)
    if not cell.bomb.sense then assert.truthy(line:find 'traceback="?%S*bombs.lua:%d', line) end
  end
end

-- Then no link, seat, task, timer or frame is left.
local function assert_clean(cell)
  for _, tab in ipairs(cell.world.tabs) do tab:close() end
  cell.world:advance(2)
  assert.same({}, cell.world:links())
  local counters = cell.world:counters()
  assert.same({ 0, 0 }, { counters.subscribers, counters.streams })
  cell.world:close()
end

local function run(kind, bomb)
  local cell = Cell.new(kind, bomb)
  local failed = CASES[kind](cell) ~= false
  cell:disarm()
  assert_told(cell, failed)
  cell:serves "ann"
  cell:serves "eve"
  local lines, errors = cell.world:log()
  assert.equal(0, errors, lines)
  assert_clean(cell)
end

-- What fails does not leave its world to the next one.
after_each(function()
  if rig.last then rig.last:close() end
end)

local function sorted_keys(table_)
  local keys = {}
  for key in pairs(table_) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

describe("every kind of hook", function()
  it("has a case here, and every bomb", function()
    local phases = rig.phases()
    table.sort(phases)
    assert.same(phases, sorted_keys(CASES))
    local world = rig.load(RULES)
    assert.same(world:request("GET", "/bombs").json, sorted_keys(BOMBS))
    world:close()
  end)

  for _, bomb in ipairs(sorted_keys(BOMBS)) do
    for _, kind in ipairs(sorted_keys(CASES)) do
      it(("that %s harms nobody else: %s"):format(bomb, kind), function() run(kind, bomb) end)
    end
  end
end)
