-- app:every: beats that come round, one at a time.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("a beat", function()
  local world, tab

  before_each(function()
    world = rig.load "spec/fixtures/every.lua"
    world:reply("GET /slow", {})
    tab = world:connect "/events"
  end)
  after_each(function() seen.close(world) end)

  local function count(kind) return #seen.data(tab, kind) end

  it("comes first after one period, then with each", function()
    world:advance(0.9)
    assert.equal(0, count "second")
    world:advance(0.2)
    assert.same({ "1" }, seen.data(tab, "second"))
    world:advance(3)
    assert.same({ "1", "2", "3", "4" }, seen.data(tab, "second"))
  end)

  it("keeps its own time", function()
    world:advance(5.1)
    assert.equal(5, count "second")
    assert.equal(20, count "quarter")
  end)

  it("that is still running is skipped, not doubled, and that is logged", function()
    local held = world:hold "GET /slow"
    world:advance(4.1)
    assert.same({ "begins" }, seen.data(tab, "slow"))
    world:advance(4)
    assert.same({ "begins" }, seen.data(tab, "slow"))
    local lines = world:log()
    assert.truthy(lines:find("a beat was skipped", 1, true) and lines:find("every=slow", 1, true), lines)
    held:answer {}
    assert.same({ "begins", "ends" }, seen.data(tab, "slow"))
    world:advance(4)
    assert.same({ "begins", "ends", "begins" }, seen.data(tab, "slow"))
  end)

  it("that fails is logged, publishes nothing, and comes again", function()
    world:advance(121)
    local lines, errors = world:log()
    assert.equal(2, errors, lines)
    assert.truthy(lines:find("this beat fails", 1, true), lines)
    assert.equal(0, count "failing")
  end)

  it("ends with the drain, also one that waits", function()
    local held = world:hold "GET /slow"
    world:advance(4.1)
    assert.equal(1, held.count)
    world:drain()
    world:advance(30)
    assert.equal(1, held.count)
    assert.equal(4, count "second")
  end)
end)
