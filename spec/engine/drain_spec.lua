-- The drain: everybody is sent away with a time to come back, what waits is flushed or given up, nothing stays.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("a drain", function()
  local world

  local function connect(path, user, options)
    options = options or {}
    options.headers = options.headers or {}
    options.headers["x-user"] = user or "ann"
    return world:connect(path or "/events", options)
  end

  local function load(fixture, options) world = rig.load("spec/fixtures/" .. fixture .. ".lua", options) end

  local function nothing_left()
    assert.equal(0, world:counters().streams)
    assert.equal(0, world:counters().subscribers)
    assert.equal(0, world:counters().links)
  end

  after_each(function() seen.close(world) end)

  it("ends every stream cleanly, with times to come back that are spread out", function()
    load "hall"
    local tabs, retries = {}, {}
    for i = 1, 50 do tabs[i] = connect("/events", "user" .. i) end
    world:drain(10)
    for i, tab in ipairs(tabs) do
      assert.is_false(tab:is_open())
      assert.equal("drain", tab.why)
      assert.same({}, tab:types())
      retries[i] = tab.retry
    end
    table.sort(retries)
    assert.is_true(retries[1] >= 1000 and retries[50] <= 11000)
    assert.is_true(retries[50] - retries[1] > 7000)
    for quarter = 1, 4 do
      local some = false
      for _, retry in ipairs(retries) do
        some = some or (retry > 1000 + (quarter - 1) * 2500 and retry <= 1000 + quarter * 2500)
      end
      assert.is_true(some)
    end
    nothing_left()
  end)

  it("sends first what is in windows and in queues", function()
    load "hall"
    local tab, slow = connect(), connect("/events", "bob")
    slow:stall(5)
    local function emit(...)
      world:request("POST", "/emit", { headers = { ["x-user"] = "carl" }, json = { ... } })
    end
    world:together(function()
      emit { "word", "1" }
      emit({ "word", "2", { replaces = "k", within = 60 } }, { "word", "3", { replaces = "l", within = 5 } })
      world:drain()
    end)
    assert.same({ "1", "2", "3" }, seen.data(tab, "word"))
    assert.is_false(tab:is_open() or slow:is_open())
    nothing_left()
  end)

  it("takes no new streams, by status and by retry, and answers other requests", function()
    load "attach"
    world:drain()
    local refused = connect()
    assert.equal(503, refused.status)
    assert.truthy(refused.headers["retry-after"])
    local later = connect "/retrying"
    assert.equal(200, later.status)
    assert.is_false(later:is_open())
    assert.is_true(later.retry >= 2000)
    assert.equal(200, world:request("GET", "/who").status)
  end)

  it("closes every link, whatever it does at the moment", function()
    load "feed"
    connect("/events", "open")
    local held = world:hold "GET /events"
    connect("/events", "connecting")
    world:reply("GET /events", { status = 500 })
    connect("/events", "waiting")
    connect("/events", "grace"):cut()
    assert.equal(4, world:counters().links)
    world:drain()
    nothing_left()
    assert.has_error(function() held:answer {} end)
    world:advance(60)
    assert.same({}, world:links())
  end)

  describe("gives up what waits:", function()
    local function ask(options) return connect(options.path, nil, { headers = { ["x-session"] = "1" } }) end

    for _, path in ipairs { "/events", "/retrying" } do
      it("a stream on its way in is don't know, never 401: " .. path, function()
        load "attach"
        local held = world:hold "GET /session"
        local tab = ask { path = path }
        world:drain()
        assert.equal(path == "/events" and 503 or 200, tab.status)
        assert.is_false(tab:is_open())
        nothing_left()
        held:answer { json = { user = "ann" } }
        nothing_left()
      end)
    end

    it("a connect hook", function()
      load "attach"
      local held = world:hold "GET /choose"
      local tab = connect "/choosy"
      world:drain()
      assert.equal("drain", tab.why)
      held:answer { status = 403 }
      nothing_left()
    end)

    it("a filter, and what stands behind it", function()
      load "filter"
      world:hold "GET /may/ann"
      local tab = connect()
      world:request("POST", "/emit", { json = { { "yes 1" }, { "ask" }, { "yes 2" } } })
      world:drain()
      assert.same({ "yes 1" }, seen.data(tab, "word"))
      assert.equal("drain", tab.why)
      nothing_left()
    end)
  end)

  it("lets a handler that waits go on, though it publishes to nobody", function()
    load "schedule"
    local held = world:hold "GET /slow"
    connect()
    world:upstream("feed", "ann"):send("slow", "1")
    world:drain()
    nothing_left()
    held:answer {}
    assert.equal(1, world:counters().emitted)
  end)

  it("lets a request that is under way finish", function()
    load "routes"
    local held = world:hold "GET /slow"
    local answer = world:request("GET", "/slow")
    world:drain()
    assert.is_nil(answer:result().status)
    held:answer { status = 202 }
    assert.equal(202, answer:result().status)
  end)

  it("runs disconnect hooks, with the reason", function()
    load "attach"
    connect("/noted", "bob")
    local before = world:counters().emitted
    world:drain()
    assert.equal(before + 1, world:counters().emitted)
    nothing_left()
  end)

  it("may come twice", function()
    load "hall"
    local tab = connect()
    world:drain()
    world:drain()
    assert.equal("drain", tab.why)
    nothing_left()
  end)
end)
