-- `snapshot`: how a topic stands, made for each subscriber that gets it without knowing what came before.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local ASKS = [[function(sub, params)
  local answer = http.get("http://app.test/" .. params.n)
  if answer.status == 204 then return nil end
  return "state", answer:expect(200).body
end]]

-- `take`: of the topics room:{n}; `more`: options of theirs; `names`: what the stream's topics are.
local function text(take, more, names)
  return ([[
    local http = require "sluice.http"
    local room = app:topic("room:{n}", { history = { size = 4, ttl = 300 }, subscribe = function() return true end,
      snapshot = %s %s })
    local news = app:topic("news", { history = { size = 4, ttl = 300 } })
    local session = sluice.identity(function(req) return { user = req.headers["x-user"] or "ann" } end)
    app:stream("events", { path = "/events", identity = session, queue = { frames = 5, bytes = 20000 },
      topics = function() return %s end })
    app:route("emit", "POST /emit/{topic}/{data}", { run = function(req, params)
      local topic = params.topic == "news" and news() or room(params.topic)
      topic:emit("said", params.data)
      return 204
    end })
    app:route("change", "POST /change/{what}/{n}", { run = function(req, params)
      local sub = app:subscribers { user = "ann" }[1]
      return 200, tostring(sub[params.what](sub, room(params.n)))
    end })]]):format(take, more or "", names or [[{ room "1", news() }]])
end

describe("a topic with a snapshot", function()
  local world

  local function start(...) world = rules.load(text(...)) end
  local function connect(options) return world:connect("/events", options) end
  local function emit(topic, ...)
    for _, data in ipairs { ... } do
      assert.equal(204, world:request("POST", ("/emit/%s/%s"):format(topic, data)).status)
    end
  end
  local function change(what, n) return world:request("POST", ("/change/%s/%s"):format(what, n)) end

  -- What came, in order: states and triggers by their data, resyncs by what they say.
  local function record(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "resync" then
        list[#list + 1] = event.data:match '"reason":"(%w+)"' .. " " .. event.data:match '"topics":(.*)}'
      elseif event.type ~= "ready" then
        list[#list + 1] = event.data
      end
    end
    return table.concat(list, ", ")
  end

  -- The one error line that a rule's failure has written, taken out of the log.
  local function failure()
    local lines, errors = world:log()
    assert.equal(1, errors, lines)
    assert.truthy(lines:find 'in="snapshot of topic room:{n}" declared=%S*rules.lua:4 ', lines)
    return lines
  end

  after_each(function()
    if world then seen.close(world) end
    world = nil
  end)

  it("gives it to a newcomer behind ready, made for this one", function()
    start [[function(sub, params) return "state", { user = sub.user, n = params.n } end]]
    emit("1", "old")
    local ann, bob = connect(), connect { headers = { ["x-user"] = "bob" } }
    assert.same({ "ready", "state" }, { ann:events()[1].type, ann:events()[2].type })
    assert.same({ { user = "ann", n = "1" } }, seen.json(ann, "state"))
    assert.same({ { user = "bob", n = "1" } }, seen.json(bob, "state"))
    emit("1", "new")
    assert.same({ "state", "said" }, ann:types())
  end)

  it("gives several events in order, and nothing for nil", function()
    start [[function(sub, params)
      if sub.user == "eve" then return nil end
      return { { "row", "1" }, { "row", { n = 2 } }, { "end" } }
    end]]
    local tab = connect()
    assert.same({ "row", "row", "end" }, tab:types())
    assert.equal('1, {"n":2}, ', record(tab))
    assert.equal("", record(connect { headers = { ["x-user"] = "eve" } }))
  end)

  it("stands in front of all that takes its place while it is made, of every topic", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    emit("1", "a")
    emit("news", "b")
    assert.equal("", record(tab))
    held:answer { body = "now" }
    assert.equal("now, a, b", record(tab))
    emit("1", "c")
    assert.equal("now, a, b, c", record(tab))
  end)

  it("lets through what waits where there is nothing to send", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    emit("1", "a")
    held:answer { status = 204 }
    assert.equal("a", record(tab))
  end)

  it("tells to re-read where it fails, and lives on", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    emit("1", "a")
    held:answer { status = 500 }
    assert.equal('snapshot ["room:1"], a', record(tab))
    assert.truthy(failure():find("500", 1, true))
    emit("1", "b")
    assert.equal('snapshot ["room:1"], a, b', record(tab))
  end)

  it("waits no longer than the stream's verdict_timeout", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    emit("1", "a")
    world:advance(1.9)
    assert.equal("", record(tab))
    world:advance(0.2)
    assert.equal('snapshot ["room:1"], a', record(tab))
    failure()
    held:answer { body = "late" }
    assert.equal('snapshot ["room:1"], a', record(tab))
  end)

  it("is given up when its client goes", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    tab:close()
    held:answer { status = 500 }
    assert.equal(0, world:counters().failures)
  end)

  it("is for newcomers and who must re-read, not for who resumed", function()
    start [[function() return "state", "now" end]]
    local tab = connect()
    assert.equal("now", record(tab))
    tab:cut()
    emit("1", "a")
    local back = tab:reconnect()
    assert.equal("a", record(back))
    assert.is_true(back.ready.resumed)
    back:cut()
    emit("1", "b", "c", "d", "e", "f")
    emit("news", "x")
    local late = back:reconnect()
    assert.equal('history ["room:1"], now, x', record(late))
    late:cut()
    assert.equal("", record(late:reconnect()))
    assert.equal('epoch ["room:1","news"], now', record(connect { last_event_id = ("0"):rep(32) }))
  end)

  it("makes a newcomer that was cut in front of it a newcomer again, and moves no cursor back", function()
    start(ASKS)
    local held = world:hold "GET /1"
    emit("news", "old")
    local tab = connect()
    tab:cut()
    held:answer { body = "never" }
    world:reply("GET /1", { body = "now" })
    local back = tab:reconnect()
    assert.is_false(back.ready.resumed)
    assert.equal("now", record(back))
    back:cut()
    emit("news", "x")
    local third = back:reconnect()
    assert.is_true(third.ready.resumed)
    assert.equal("x", record(third))
    for _, event in ipairs(back:events()) do assert.equal("", event.id or "") end
  end)

  it("keeps the order of its topics' snapshots, whichever is made first", function()
    start(ASKS, nil, [[{ room "1", room "2", news() }]])
    local one, two = world:hold "GET /1", world:hold "GET /2"
    local tab = connect()
    emit("2", "b")
    two:answer { body = "second" }
    assert.equal("", record(tab))
    one:answer { body = "first" }
    assert.equal("first, second, b", record(tab))
  end)

  it("tells of the one topic whose snapshot is late, and gives the others'", function()
    start(ASKS, nil, [[{ room "1", room "2", news() }]])
    world:hold "GET /1"
    world:reply("GET /2", { body = "second" })
    local tab = connect()
    world:advance(2.1)
    failure()
    assert.equal('snapshot ["room:1"], second', record(tab))
  end)

  for _, what in ipairs { "join", "subscribe" } do
    it("gives it at sub:" .. what .. ", in front of what comes after it", function()
      start(ASKS, nil, "news()")
      local held = world:hold "GET /7"
      local tab = connect()
      assert.equal("true", change(what, "7").body)
      emit("7", "a")
      emit("news", "b")
      assert.equal("", record(tab))
      held:answer { body = "now" }
      assert.equal("now, a, b", record(tab))
      change("leave", "7")
      world:hold("GET /7")
      change(what, "7")
      emit("news", "c")
      change("leave", "7") -- and with it what waits of it
      assert.equal("now, a, b, c", record(tab))
    end)
  end

  it("is asked of the new rules when a reload comes, and the old ones' answer is nobody's", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    emit("1", "a")
    rules.reload(world, text((ASKS:gsub('"state"', '"fresh"'):gsub('%.body', '.body .. "!"'))))
    held:answer { body = "old" }
    assert.equal("", record(tab))
    held:answer { body = "new" }
    assert.same({ "fresh", "said" }, tab:types())
    assert.equal("new!, a", record(tab))
  end)

  it("is made anew by a reload also where it waits for a slow reader", function()
    start [[function() return "state", ("1"):rep(20) end]]
    local tab = connect()
    tab:stall()
    emit("news", "a")
    change("join", "2")
    rules.reload(world, text [[function() return "state", "2" end]])
    tab:unstall()
    assert.equal(("1"):rep(20) .. ", a, 2", record(tab))
  end)

  it("tells to re-read where the new rules make none any more", function()
    start(ASKS)
    world:hold "GET /1"
    local tab = connect()
    rules.reload(world, text "nil")
    assert.equal('snapshot ["room:1"]', record(tab))
  end)

  it("goes with the rest where the queue overflows: lagged names its topic, and it is not asked for", function()
    start(ASKS)
    local held = world:hold "GET /1"
    local tab = connect()
    emit("news", "a", "b", "c", "d", "e")
    assert.equal("", record(tab))
    emit("news", "f", "g")
    assert.equal('lagged ["room:1","news"], g', record(tab))
    assert.equal(6, seen.resyncs(tab)[1].missed)
    held:answer { body = "late" }
    emit("news", "h")
    assert.equal('lagged ["room:1","news"], g, h', record(tab))
    assert.equal(0, world:counters().failures)
  end)

  it("is not asked for by who lags already when it joins: it is told", function()
    start([[function() return "state", "now" end]], nil, "news()")
    local tab = connect()
    tab:stall()
    emit("news", "a", "b", "c", "d", "e", "f")
    change("join", "1")
    tab:unstall()
    local lagged = seen.resyncs(tab)[1]
    table.sort(lagged.topics)
    assert.same({ "news", "room:1" }, lagged.topics)
    assert.equal(6, lagged.missed)
    assert.same({}, seen.data(tab, "state"))
  end)

  it("may be larger than the queue where it stands alone, and lags where something else waits", function()
    start([[function(sub, params) return "state", ("x"):rep(30000) end]], nil, "news()")
    local tab = connect()
    change("join", "1")
    assert.equal(30000, #seen.data(tab, "state")[1])
    tab:stall()
    emit("news", "a")
    change("join", "2")
    tab:unstall()
    assert.same({ "news", "room:2" }, seen.resyncs(tab)[1].topics)
    assert.equal(1, #seen.data(tab, "state"))
  end)

  it("has the names and the wrap of its topic's events", function()
    start([[function() return "state", "now", { meta = "m" } end]],
      [[, event = "topic", wrap = function(type, data, meta)
        return { type = type, data = data, meta = meta or "none" }
      end]])
    local tab = connect()
    emit("1", "a")
    assert.same({ "room:1", "room:1" }, tab:types())
    assert.same({ { type = "state", data = "now", meta = "m" }, { type = "said", data = "a", meta = "none" } },
      seen.json(tab, "room:1"))
  end)

  it("is asked of neither filter nor audience", function()
    start([[function() return "state", "now" end]], [[, filter = function() return false end,
      audience = { ask = function() return nil end }]])
    local tab = connect()
    emit("1", "a")
    assert.equal("now", record(tab))
  end)

  it("may ask about the app, and may not act", function()
    start [[function(sub) return "users", table.concat(app:users(), " ") end]]
    assert.equal("ann", record(connect()))
    rules.reload(world, text [[function(sub) sub:join "room:9" end]])
    local tab = connect()
    assert.equal('snapshot ["room:1"]', record(tab))
    assert.truthy(failure():find("sub:join cannot be called in a topic's snapshot", 1, true))
  end)

  for what, take in pairs {
    ["expected a type"]           = [["", "x"]],
    ["a list with"]               = [[{ "state", "now" }]],
    ["a table that is no list"]   = [[{ state = "now" }]],
    ["a type that is"]            = [[{ { "a\nb", "x" } }]],
    ["data that is true"]         = [["state", true]],
    ["; it has: meta"] = [["state", "x", { tag = "x" }]],
    ["more than 1048576 bytes"]   = [["state", ("x"):rep(1048576)]],
    ["1001 events, 1000 at most"] = [[(function()
      local list = {}
      for n = 1, 1001 do list[n] = { "n", n } end
      return list
    end)()]],
  } do
    it("is none, and the log says why: " .. what, function()
      start(("function() return %s end"):format((take:gsub("\n", " "))))
      assert.equal('snapshot ["room:1"]', record(connect()))
      assert.truthy(failure():find(what == "expected a type" and "a type that is" or what, 1, true))
    end)
  end
end)
