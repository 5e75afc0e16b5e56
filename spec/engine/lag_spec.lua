-- Slow readers: a bounded queue, the exact number of what was missed, and nobody else notices.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("a slow reader", function()
  local world

  local function connect(path, user)
    return world:connect(path or "/narrow", { headers = { ["x-user"] = user or "ann" } })
  end

  local sender = { ["x-user"] = "carl" }

  local function emit(from, to, path)
    for i = from, to or from do
      local sent = { headers = sender, json = { { "n", tostring(i) } } }
      assert.equal(204, world:request("POST", path or "/emit", sent).status)
    end
  end

  local function numbers(tab) return table.concat(seen.data(tab, "n"), " ") end

  -- What came, in order: numbers, and what each resync says is missed.
  local function record(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "n" then list[#list + 1] = event.data end
      if event.type == "resync" then list[#list + 1] = "missed " .. event.data:match '"missed":(%w+)' end
    end
    return table.concat(list, ", ")
  end

  before_each(function() world = rig.load "spec/fixtures/hall.lua" end)
  after_each(function() seen.close(world) end)

  it("gets all that its queue has room for", function()
    local tab = connect()
    tab:stall()
    emit(1, 4)
    tab:unstall()
    emit(5)
    assert.equal("1, 2, 3, 4, 5", record(tab))
  end)

  it("is told once, with the exact number, what it missed, and then goes on", function()
    local tab = connect()
    tab:stall()
    emit(1, 5) -- the fifth has no room
    emit(6, 30)
    tab:unstall()
    emit(31, 32)
    assert.equal("missed 30, 31, 32", record(tab))
    assert.same({ { reason = "lagged", missed = 30, topics = { "room:all" } } }, seen.resyncs(tab))
    assert.equal(1, world:counters().lagged)
  end)

  it("gets the rest of a frame that it has in part, before it is told", function()
    local tab = connect()
    tab:stall(10)
    emit(1, 9)
    tab:unstall()
    assert.equal("1, missed 8", record(tab))
  end)

  it("lags again when it stalls again, and each number is its own", function()
    local tab = connect()
    for round = 1, 3 do
      tab:stall()
      emit(1, 10 * round)
      tab:unstall()
    end
    assert.equal("missed 10, missed 20, missed 30", record(tab))
  end)

  it("that takes a little now and then gets whole frames and right numbers", function()
    local tab = connect()
    tab:stall()
    emit(1, 3)
    tab:stall(100)
    world:run()
    emit(4, 20)
    tab:unstall()
    local had, missed = {}, 0
    for _, number in ipairs(seen.data(tab, "n")) do had[#had + 1] = tonumber(number) end
    for _, resync in ipairs(seen.resyncs(tab)) do missed = missed + resync.missed end
    for i, number in ipairs(had) do assert.equal(i, number) end
    assert.equal(20, #had + missed)
    assert.is_true(#had >= 1 and missed > 0)
  end)

  it("is told of those topics alone of which it missed something", function()
    local tab = world:connect("/narrow?room=other", { headers = { ["x-user"] = "ann" } })
    tab:stall()
    emit(1, 9) -- of a room in which it is not
    emit(1, 9, "/emit?room=other")
    tab:unstall()
    assert.same({ { reason = "lagged", missed = 9, topics = { "room:other" } } }, seen.resyncs(tab))
  end)

  it("costs the others nothing", function()
    local slow, fast = connect(), { connect(nil, "bob"), connect("/events", "bob"), connect(nil, "carl") }
    slow:stall()
    emit(1, 100)
    local all = {}
    for i = 1, 100 do all[i] = tostring(i) end
    for _, tab in ipairs(fast) do
      assert.equal(table.concat(all, " "), numbers(tab))
      assert.same({}, seen.resyncs(tab))
    end
  end)

  it("may resume from the cursor of its resync: nothing lost, nothing doubled", function()
    local tab = connect()
    tab:stall()
    emit(1, 20)
    tab:unstall()
    tab:cut()
    emit(21, 23)
    local back = tab:reconnect()
    assert.is_true(back.ready.resumed)
    assert.equal("21 22 23", numbers(back))
  end)

  it("resumes from what it has seen, if it is cut before it was told", function()
    local tab = connect()
    emit(1, 2)
    tab:stall()
    emit(3, 20)
    local back = tab:reconnect { path = "/events" }
    assert.is_true(back.ready.resumed)
    assert.equal(18, back.ready.missed)
    assert.equal("3, 4", record(back):sub(1, 4))
  end)

  it("misses nothing by a burst that it takes, however large", function()
    local tab, items = connect(), {}
    for i = 1, 1000 do items[i] = { "n", tostring(i) } end
    world:request("POST", "/emit", { headers = sender, json = items })
    assert.equal(1000, #seen.data(tab, "n"))
    assert.same({}, seen.resyncs(tab))
  end)

  it("is bounded in bytes, too", function()
    local tab, big = connect "/events", ("x"):rep(300000)
    tab:stall()
    for _ = 1, 5 do
      world:request("POST", "/emit", { headers = sender, json = { { "n", big } } })
    end
    tab:unstall()
    assert.equal(5, seen.resyncs(tab)[1].missed)
  end)

  it("is closed when it has stalled for too long, and not before", function()
    local tab, still = connect(), connect(nil, "bob")
    tab:stall()
    emit(1)
    world:advance(29.9)
    assert.is_true(tab:is_open())
    world:advance(0.2)
    assert.is_false(tab:is_open())
    assert.equal("slow", tab.why)
    assert.is_true(still:is_open())
  end)

  it("is not closed while it takes something now and then", function()
    local tab = connect()
    tab:stall()
    emit(1, 4)
    for _ = 1, 4 do
      world:advance(20)
      tab:stall(20)
      world:run()
    end
    assert.is_true(tab:is_open())
    tab:unstall()
    assert.equal("1, 2, 3, 4", record(tab))
  end)
end)
