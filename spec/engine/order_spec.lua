-- The order of what a link brings: one event after the other for one key, side by side for different keys.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("the events of a link", function()
  local world

  local function connect(user, options)
    options = options or {}
    options.headers = { ["x-user"] = user }
    return world:connect("/events", options)
  end

  local function send(user, kind, ...)
    for _, word in ipairs { ... } do world:upstream("feed", user):send(kind, word) end
  end

  local function record(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "note" then list[#list + 1] = event.data end
      if event.type == "resync" then list[#list + 1] = "resync" end
    end
    return table.concat(list, " ")
  end

  before_each(function() world = rig.load "spec/fixtures/schedule.lua" end)
  after_each(function() seen.close(world) end)

  it("are handled one at a time, in order", function()
    local tab, held = connect "ann", world:hold "GET /slow"
    send("ann", "note", "a")
    send("ann", "slow", "b")
    send("ann", "note", "c")
    send("ann", "slow", "d")
    send("ann", "note", "e")
    assert.equal("a", record(tab))
    assert.equal(1, held.count)
    held:answer {}
    assert.equal("a b c", record(tab))
    assert.equal(2, held.count)
    held:answer {}
    assert.equal("a b c d e", record(tab))
  end)

  it("of different keys are handled side by side", function()
    local ann, bob, held = connect "ann", connect "bob", world:hold "GET /slow"
    send("ann", "slow", "a1")
    send("bob", "slow", "b1")
    assert.equal(2, held.count)
    send("ann", "note", "a2")
    held:answer {}
    assert.equal("a1 a2", record(ann))
    assert.equal("", record(bob))
    held:answer {}
    assert.equal("b1", record(bob))
  end)

  it("go on behind one whose handler fails or runs out of time; the reader is told", function()
    local tab = connect "ann"
    world:hold "GET /slow"
    send("ann", "slow", "a")
    send("ann", "note", "b")
    world:advance(10.1)
    assert.equal("resync b", record(tab))
    world:log()
  end)

  it("wait in a bounded queue: a full one closes the upstream's window, and nothing is dropped", function()
    local tab, held = connect "ann", world:hold "GET /slow"
    send("ann", "slow", "first")
    local expected = { "first" }
    for i = 1, 300 do
      expected[i + 1] = "n" .. i
      send("ann", "note", "n" .. i)
    end
    assert.is_true(world:upstream("feed", "ann").paused)
    held:answer {}
    assert.is_false(world:upstream("feed", "ann").paused)
    assert.equal(table.concat(expected, " "), record(tab))
  end)

  it("stand before the resync of what came after them", function()
    local tab, held = connect "ann", world:hold "GET /slow"
    send("ann", "slow", "a")
    send("ann", "note", "b")
    world:upstream("feed", "ann"):cut()
    world:advance(2)
    send("ann", "note", "c")
    assert.equal("", record(tab))
    held:answer {}
    assert.equal("a b resync c", record(tab))
  end)

  it("are handled also when the link has closed meanwhile", function()
    local tab, held = connect "ann", world:hold "GET /slow"
    tab:cut()
    world:advance(7)
    send("ann", "slow", "a")
    send("ann", "note", "b")
    world:advance(3.1)
    assert.same({}, world:links())
    held:answer {}
    assert.equal("a b resync", record(tab:reconnect())) -- the new link is opened with it
  end)
end)
