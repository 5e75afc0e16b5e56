-- `limit`: a topic has so many triggers a second; what comes above has no place, and the topic is told so.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local function text(limit, more)
  return ([[
    local news = app:topic("news:{n}", { limit = %s, history = { size = 64, ttl = 300 }, %s })
    app:stream("events", { path = "/events", topics = function() return { news "1", news "2" } end })
    app:route("emit", "POST /emit/{n}", { run = function(req, params)
      for i = tonumber(req.query.from), tonumber(req.query.to) do
        news(params.n):emit("news", tostring(i), { replaces = req.query.key, within = req.query.key and 0.1 })
      end
      return 204
    end })]]):format(limit, more or "")
end

describe("a topic with a limit", function()
  local world, tab

  local function start(...)
    world = rules.load(text(...))
    tab = world:connect "/events"
  end
  local function emit(n, from, to, more)
    local path = ("/emit/%s?from=%d&to=%d%s"):format(n, from, to or from, more or "")
    assert.equal(204, world:request("POST", path).status)
  end
  local function got(of) return table.concat(seen.data(of or tab, "news"), " ") end
  local function told(of)
    local list = {}
    for _, resync in ipairs(seen.resyncs(of or tab)) do list[#list + 1] = resync.reason .. " " .. resync.topics[1] end
    return list
  end

  after_each(function()
    if world then seen.close(world) end
    world = nil
  end)

  it("places what the burst allows, and then what the rate gives", function()
    start "{ rate = 2, burst = 3 }"
    emit("1", 1, 3)
    world:advance(0.5)
    emit("1", 4)
    world:advance(60)
    emit("1", 5, 7)
    assert.equal("1 2 3 4 5 6 7", got())
    assert.same({}, told())
    assert.equal(0, world:counters().limited)
  end)

  it("has a burst of one second's triggers where none is given", function()
    start "{ rate = 4 }"
    emit("1", 1, 9)
    assert.equal("1 2 3 4", got())
  end)

  it("tells the topic, behind what had a place and in front of what has one next", function()
    start "{ rate = 1, burst = 2 }"
    emit("1", 1, 5)
    assert.same({ "news", "news", "resync" }, tab:types())
    assert.same({ "limited news:1" }, told())
    assert.equal(3, world:counters().limited)
    world:advance(1)
    emit("1", 6)
    assert.same({ "news", "news", "resync", "news" }, tab:types())
    assert.equal("1 2 6", got())
  end)

  it("tells it once a second at most, and always behind the last that had no place", function()
    start "{ rate = 1, burst = 1 }"
    for n = 1, 40 do
      emit("1", n)
      world:advance(0.1)
    end
    assert.is_true(#told() >= 4 and #told() <= 5, #told())
    world:advance(1)
    local types = tab:types()
    assert.equal("resync", types[#types])
    local before = #told()
    world:advance(30)
    assert.equal(before, #told())
    assert.equal(36, world:counters().limited)
  end)

  it("has the last word, also where nothing more comes", function()
    start "{ rate = 1, burst = 1 }"
    emit("1", 1, 2)
    world:advance(0.3)
    emit("1", 3)
    assert.equal(1, #told())
    world:advance(0.8)
    assert.equal(2, #told())
    world:advance(10)
    assert.equal(2, #told())
  end)

  it("counts each name for itself", function()
    start "{ rate = 1, burst = 1 }"
    emit("1", 1, 2)
    emit("2", 3)
    assert.equal("1 3", got())
    assert.same({ "limited news:1" }, told())
  end)

  it("counts what comes out of a window, once", function()
    start "{ rate = 1, burst = 1 }"
    emit("1", 1, 20, "&key=a")
    world:advance(0.2)
    assert.equal("20", got())
    assert.same({}, told())
    emit("1", 21, 22, "&key=a")
    world:advance(0.2)
    assert.same({ "limited news:1" }, told())
  end)

  it("tells who was away meanwhile", function()
    start "{ rate = 1, burst = 1 }"
    emit("1", 1)
    tab:cut()
    emit("1", 2, 5)
    local back = tab:reconnect()
    assert.same({ "limited news:1" }, told(back))
  end)

  it("goes on counting where nobody has the topic", function()
    start("{ rate = 1, burst = 3 }")
    tab:close()
    rules.reload(world, text("{ rate = 1, burst = 3 }"):gsub("history = { size = 64, ttl = 300 },", ""))
    emit("1", 1, 3)
    world:advance(0.9)
    emit("1", 4)
    assert.equal(1, world:counters().limited)
    world:advance(10)
    assert.equal(0, world:counters().topics)
  end)

  it("retains what had no place: a newcomer gets the newest state", function()
    start("{ rate = 1, burst = 1 }", "retain = true")
    emit("1", 1, 5)
    assert.equal("5", got(world:connect "/events"))
  end)

  it("has another limit after a reload, at once, and none where none is declared", function()
    start "{ rate = 1, burst = 1 }"
    emit("1", 1, 2)
    rules.reload(world, text "{ rate = 1, burst = 3 }")
    emit("1", 3, 5)
    assert.equal("1 3 4", got())
    rules.reload(world, text "nil")
    emit("1", 6, 30)
    assert.equal("30", got():match "%d+$")
    world:advance(5)
    assert.equal("limited news:1", told()[#told()])
  end)

  it("is noted for explain", function()
    start "{ rate = 1, burst = 1 }"
    emit("1", 1, 2)
    local states = {}
    for _, trigger in ipairs(world:explain { topic = "news:1" }.apps[1].triggers) do
      states[#states + 1] = trigger.state .. " " .. trigger.type
    end
    table.sort(states)
    assert.same({ "limited news", "placed news", "placed resync" }, states)
  end)
end)
