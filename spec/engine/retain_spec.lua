-- `retain`: a newcomer to a topic gets its last trigger, whatever happens to its connection meanwhile.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

-- `door` retains, `news` does not; both have histories of this size.
local function text(retain, size, more)
  return ([[
    local http = require "sluice.http"
    local door = app:topic("door:{n}", { retain = %s, history = { size = %d, ttl = 300 }, %s })
    local news = app:topic("news", { history = { size = %d, ttl = 300 } })
    local session = sluice.identity(function(req) return { user = req.headers["x-user"] or "ann" } end)
    app:stream("events", { path = "/events", identity = session, queue = { frames = 4 },
      topics = function() return { door "1", door "2", news() } end })
    app:route("emit", "POST /emit/{topic}/{data}", { identity = session, run = function(req, params)
      local topic = params.topic == "news" and news() or door(params.topic)
      topic:emit(params.topic == "news" and "news" or "door", params.data)
      return 204
    end })
    app:route("resync", "POST /resync", { run = function() door "1":resync "rule" return 204 end })]])
    :format(retain, size or 8, more or "", size or 8)
end

describe("a topic that retains", function()
  local world

  local function start(...) world = rules.load(text(...)) end
  local function connect(options) return world:connect("/events", options) end
  local function emit(topic, data, options)
    assert.equal(204, world:request("POST", ("/emit/%s/%s"):format(topic, data), options).status)
  end
  local function doors(tab) return seen.data(tab, "door") end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("gives its last trigger to a newcomer, behind ready", function()
    start "true"
    emit("1", "open")
    emit("1", "shut")
    emit("news", "old")
    local tab = connect()
    assert.same({ "door" }, tab:types())
    assert.same({ "shut" }, doors(tab))
    emit("1", "open")
    assert.same({ "shut", "open" }, doors(tab))
  end)

  it("gives nothing where there was nothing, and no resync as a state", function()
    start "true"
    world:request("POST", "/resync")
    assert.same({}, connect():types())
  end)

  it("gives it to the tab that caused it as well", function()
    start "true"
    local tag = "0123456789abcdef"
    local tab = connect { tag = tag }
    emit("1", "open", { tag = tag })
    assert.same({}, doors(tab))
    tab:close()
    assert.same({ "open" }, doors(connect { tag = tag }))
  end)

  it("gives it without the tag by which a client knows its echoes", function()
    world = rules.load [[
      local door = app:topic("door", { retain = true })
      local session = sluice.identity(function() return { user = "ann" } end)
      app:stream("events", { path = "/events", identity = session, suppress = "client",
        topics = function() return door() end })
      app:route("shut", "POST /shut", { identity = session, run = function(req)
        door():emit("door", { shut = true }, { tag = req.tag })
        return 204
      end })]]
    local tag = "0123456789abcdef"
    local tab = connect { tag = tag }
    tab:post "/shut"
    assert.same({ '{"session_tag":"0123456789abcdef","shut":true}' }, doors(tab))
    tab:close()
    assert.same({ '{"shut":true}' }, doors(connect { tag = tag }))
  end)

  it("keeps a newcomer's cursor where it is: cut behind it, it misses and doubles nothing", function()
    start "true"
    emit("1", "open")
    for n = 1, 5 do emit("news", n) end
    local tab = connect()
    assert.same({ "open" }, doors(tab))
    tab:cut()
    emit("2", "ajar")
    emit("news", "6")
    local back = tab:reconnect()
    assert.is_true(back.ready.resumed)
    assert.same({ "ajar" }, doors(back))
    assert.same({ "6" }, seen.data(back, "news"))
  end)

  it("lets a newcomer that was cut in front of it be a newcomer again", function()
    start("true", 8, [[filter = function() return http.get "http://app.test/may".status == 200 end]])
    local first = world:hold "GET /may"
    emit("1", "open")
    emit("news", "old")
    local tab = connect()
    assert.same({}, tab:types())
    tab:cut()
    first:answer { status = 200 }
    world:reply("GET /may", { status = 200 })
    local back = tab:reconnect()
    assert.is_false(back.ready.resumed)
    assert.same({ "open" }, doors(back))
  end)

  it("gives nothing to who resumed, and all to who was told to re-read", function()
    start("true", 2)
    local tab = connect()
    emit("1", "open")
    tab:cut()
    local back = tab:reconnect()
    assert.same({ "open" }, doors(tab))
    assert.same({}, doors(back))
    back:cut()
    for n = 1, 3 do emit("1", n) end
    emit("2", "ajar")
    local late = back:reconnect()
    assert.same({ "door:1" }, seen.resyncs(late)[1].topics)
    assert.same({ "3", "ajar" }, doors(late))
    late:cut()
    assert.same({}, doors(late:reconnect()))
    local foreign = connect { last_event_id = ("0"):rep(32) }
    assert.same({ "resync", "door", "door" }, foreign:types())
    foreign:cut()
    assert.is_true(foreign:reconnect().ready.resumed)
  end)

  it("asks the filter, and tells who did not get it for want of an answer", function()
    start("true", 8, [[filter = function(ev, sub)
      if sub.user == "eve" then return false end
      return sub.user == "ann" or http.get "http://app.test/may".status == 200
    end]])
    emit("1", "open")
    assert.same({}, doors(connect { headers = { ["x-user"] = "eve" } }))
    assert.same({ "open" }, doors(connect()))
    local held = world:hold "GET /may"
    local bob = connect { headers = { ["x-user"] = "bob" } }
    world:advance(2.1)
    assert.same({}, doors(bob))
    held:answer { status = 200 }
    world:reply("GET /may", { status = 200 })
    world:advance(60)
    assert.equal("access", seen.resyncs(bob)[1].reason)
  end)

  it("forgets after its ttl, and keeps the topic until then", function()
    start("{ ttl = 10 }", 8)
    emit("1", "open")
    world:advance(9)
    local tab = connect()
    assert.same({ "open" }, doors(tab))
    tab:close()
    world:advance(1.1)
    assert.same({}, doors(connect()))
  end)

  it("keeps a topic that has nothing else, and counts it", function()
    world = rules.load [[
      local state = app:topic("state", { retain = { ttl = 5 } })
      app:route("emit", "POST /emit", { run = function() state():emit("x", "1") return 204 end })]]
    world:request("POST", "/emit")
    world:advance(4)
    assert.equal(1, world:counters().topics)
    world:advance(1.1)
    assert.equal(0, world:counters().topics)
  end)

  it("survives a reload, and is dropped by rules that do not retain", function()
    start "true"
    emit("1", "open")
    rules.reload(world, text "true")
    assert.same({ "open" }, doors(connect()))
    rules.reload(world, text "nil")
    rules.reload(world, text "true")
    assert.same({}, doors(connect()))
  end)
end)
