-- After a reload the live streams are asked anew which topics they have, by the new rules, a few at a time.

local rules = require "spec.support.rules"

-- `topics`: the function of the stream; `may`: the `subscribe` of room:{room}; both as text.
local function text(topics, may)
  return ([[
    local http = require "sluice.http"
    local session = sluice.identity(function(req)
      if req.headers["x-slow"] then http.get "http://app.test/session" end
      return { user = req.headers["x-user"] }
    end)
    local mine = app:topic("user:{user}", { history = { size = 8, ttl = 300 } })
    local room = app:topic("room:{room}", { history = { size = 8, ttl = 300 }, subscribe = %s })
    local feed = app:upstream("feed", { key = function() return "all" end,
      request = function() return { url = "http://feed.test/events" } end })
    feed:on("*", function(ev) app.flush(app) room(ev.type):emit("said", ev.data) end)
    app:stream("events", { path = "/events", identity = session, upstreams = { feed }, topics = %s })]])
    :format(may or "nil", topics or "function(_, sub) return mine(sub.user) end")
end

local ONE  = "function() return 'room:1' end"
local BOTH = "function(req) return { 'room:1', 'room:2' } end"

describe("a reload", function()
  local world

  local function start(...) world = rules.load(text(...)) end
  local function reload(...) rules.reload(world, text(...)) end
  local function connect(path, options)
    options = options or {}
    options.headers = { ["x-user"] = options.user or "ann", ["x-slow"] = options.slow }
    return world:connect(path or "/events", options)
  end
  local function say(name, data) world:upstream("feed", "all"):send(name, data) end
  local function told(topic) return ('{"reason":"reload","missed":null,"topics":["%s"]}'):format(topic) end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("tells nobody anything where the answers are the same", function()
    start(BOTH)
    local tab = connect()
    reload(BOTH)
    say("2", "x")
    assert.same({ "said" }, tab:types())
  end)

  it("takes streams out of topics that they no longer have, and tells them", function()
    start(BOTH)
    local tab = connect()
    reload(ONE)
    assert.same({ "resync" }, tab:types())
    assert.equal(told "room:2", tab:events()[2].data)
    say("2", "x")
    say("1", "y")
    assert.same({ "resync", "said" }, tab:types())
    assert.equal("y", tab:events()[3].data)
  end)

  it("joins them to topics that are new, and tells them, for what came before is not known to them", function()
    start(ONE)
    local tab = connect()
    say("2", "before")
    reload(BOTH)
    assert.equal(told "room:2", tab:events()[2].data)
    say("2", "after")
    assert.same({ "resync", "said" }, tab:types())
    assert.equal("after", tab:events()[3].data)
  end)

  it("asks subscribe again, for what the client asked for", function()
    start("nil", "function() return true end")
    local tab = connect "/events?topic=room:1&topic=room:2&tag=0123456789abcdef"
    assert.equal(2, world:counters().topics)
    reload("nil", "function(sub, params) return params.room ~= '2' end")
    assert.equal(told "room:2", tab:events()[2].data)
    say("1", "x")
    assert.same({ "resync", "said" }, tab:types())
    reload("nil", "function() return true end")
    assert.equal(told "room:2", tab:events()[4].data)
  end)

  it("sees path and query of the request, and who it was", function()
    start(ONE)
    local tab = connect "/events?room=7"
    reload("function(req, sub) return 'room:' .. req.method .. req.path:sub(2) .. req.query.room .. sub.user end")
    assert.equal(told "room:GETevents7ann", tab:events()[3].data)
  end)

  it("sends a stream away, quietly, whose rules want more of its request", function()
    local by_header = "function(req) return 'room:' .. req.headers['x-user'] end"
    start(by_header)
    local tabs = { connect(), connect() }
    reload(by_header)
    for _, tab in ipairs(tabs) do assert.same({ false, "reload" }, { tab:is_open(), tab.why }) end
    assert.is_true(tabs[1].retry >= 1000)
    local log, errors = world:log()
    assert.equal(0, errors)
    assert.matches("sent away after a reload.- streams=2", log)
    local again = tabs[1]:reconnect()
    assert.is_true(again:is_open())
  end)

  it("sends a stream away whose rules fail, and does not show it a thing more", function()
    start(ONE)
    local tab = connect()
    reload "function() error 'who knows' end"
    say("1", "x")
    assert.same({ {}, "reload" }, { tab:types(), tab.why })
    assert.matches("who knows", (world:log()))
  end)

  it("asks a few at a time", function()
    start(ONE)
    for _ = 1, 100 do connect() end
    local held = world:hold "GET /topics"
    reload "function() http.get 'http://app.test/topics' return { 'room:1', 'room:2' } end"
    local most, asked = 0, 0
    while #held.waiting > 0 do
      most = math.max(most, #held.waiting)
      held:answer { status = 200 }
      asked = asked + 1
    end
    assert.same({ 16, 100 }, { most, asked })
    say("2", "x")
    for _, tab in ipairs(world.tabs) do assert.same({ "resync", "said" }, tab:types()) end
  end)

  it("forgets a stream that ends while it is asked, and begins anew with another reload", function()
    local slow = "function() http.get 'http://app.test/topics' return 'room:2' end"
    start(ONE)
    local tabs = {}
    for i = 1, 40 do tabs[i] = connect() end
    local held = world:hold "GET /topics"
    reload(slow)
    for i = 1, 10 do tabs[i]:cut() end
    assert.equal(26, held.count) -- the places of those that went are taken
    reload(BOTH)
    assert.equal(1, world:counters().vms)
    say("2", "x")
    for i = 11, 40 do assert.same({ "resync", "said" }, tabs[i]:types()) end
  end)

  it("asks who came in by the rules of before", function()
    start(ONE)
    local held = world:hold "GET /session"
    local tab = connect("/events", { slow = "1" })
    reload(BOTH)
    held:answer { status = 200 }
    say("2", "x")
    assert.same({ "resync", "said" }, tab:types())
    assert.equal(told "room:2", tab:events()[2].data)
  end)
end)
