-- A subscriber's way in, step by step, and every end that a stream has.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("a stream", function()
  local world

  local function connect(path, user, options)
    options = options or {}
    options.headers = options.headers or {}
    options.headers["x-user"] = user
    return world:connect(path, options)
  end

  -- Asks the session server who it is.
  local function ask(path) return connect(path or "/events", nil, { headers = { ["x-session"] = "1" } }) end

  local function code_of(tab) return tab.body:match '"code":"([%w_]+)"' end

  local function expect_errors(count, text)
    local lines, errors = world:log()
    assert.equal(count, errors, lines)
    if text then assert.truthy(lines:find(text, 1, true), lines) end
  end

  local function nothing_left()
    assert.equal(0, world:counters().streams)
    assert.equal(0, world:counters().subscribers)
    assert.same({}, world:links())
  end

  before_each(function() world = rig.load "spec/fixtures/attach.lua" end)
  after_each(function() seen.close(world) end)

  it("begins with its headers, retry and ready", function()
    local tab = connect("/events", "ann")
    assert.equal(200, tab.status)
    assert.equal("text/event-stream", tab.headers["content-type"])
    assert.equal("no-store, no-transform", tab.headers["cache-control"])
    assert.equal("no", tab.headers["x-accel-buffering"])
    assert.equal(2000, tab.retry)
    assert.equal("ready", tab:events()[1].type)
  end)

  describe("identity", function()
    it("that says nobody is 401, at once and by every kind of refusal", function()
      for _, path in ipairs { "/events", "/retrying" } do
        local tab = connect(path)
        assert.equal(401, tab.status)
        assert.equal("unauthorized", code_of(tab))
        assert.is_nil(tab.headers["retry-after"])
        assert.equal("no-store", tab.headers["cache-control"])
      end
      nothing_left()
    end)

    it("that raises is 503 and a time to come back, never 401", function()
      local tab = connect("/events", "ann", { headers = { ["x-fails"] = "1" } })
      assert.equal(503, tab.status)
      assert.equal("unavailable", code_of(tab))
      local after = tonumber(tab.headers["retry-after"])
      assert.is_true(after >= 1 and after <= 5)
      nothing_left()
      expect_errors(1, "the session cannot be read")
    end)

    it("that raises ends a stream that refuses by retry, spread out", function()
      local retries = {}
      for i = 1, 20 do
        local tab = connect("/retrying", "ann", { headers = { ["x-fails"] = "1" } })
        assert.equal(200, tab.status)
        assert.equal("text/event-stream", tab.headers["content-type"])
        assert.is_false(tab:is_open())
        assert.same({}, tab:events())
        assert.is_true(tab.retry >= 2000 and tab.retry < 10000)
        retries[i] = tab.retry
      end
      table.sort(retries)
      assert.is_true(retries[20] - retries[1] > 3000)
      nothing_left()
      world:log()
    end)

    it("may ask a server: yes, no, don't know", function()
      world:reply("GET /session", { json = { user = "ann" } })
      local tab = ask "/events?room=mine"
      assert.equal(200, tab.status)
      world:request("POST", "/emit/ann%20of%20ann", { body = "hello" })
      assert.same({ "hello" }, seen.data(tab, "word"))
      world:reply("GET /session", { status = 401 })
      assert.equal(401, ask().status)
      world:reply("GET /session", { status = 500 })
      assert.equal(503, ask().status)
      for _, failure in ipairs { "refused", "network", "tls", "resolve" } do
        world:fail("GET /session", failure)
        assert.equal(503, ask().status)
      end
      expect_errors(5)
    end)

    it("that gets no answer is don't know when the time is up", function()
      world:fail("GET /session", "timeout")
      local tab = ask()
      world:advance(2.9)
      assert.equal("waiting", tab.state)
      assert.equal(1, world:counters().streams)
      world:advance(0.2)
      assert.equal(503, tab.status)
      nothing_left()
      expect_errors(1, "timeout")
    end)

    it("that is slow delays the stream and nobody else", function()
      local held = world:hold "GET /session"
      local slow, quick = ask(), connect("/events", "bob")
      assert.equal("waiting", slow.state)
      assert.equal(200, quick.status)
      held:answer { json = { user = "ann" } }
      assert.equal(200, slow.status)
      assert.is_true(slow:is_open())
    end)

    for _, step in ipairs { "session", "rooms", "may/ann/x" } do
      it("and all else is given up when the client goes while /" .. step .. " is asked", function()
        local held = world:hold("GET /" .. step)
        world:reply("GET /session", { json = { user = "ann" } })
        if step == "session" then held = world:hold "GET /session" end
        local tab = ask(step == "rooms" and "/events?room=waits" or "/events?topic=asked:x")
        assert.equal("waiting", tab.state)
        assert.equal(1, held.count)
        tab:cut()
        nothing_left()
        held:answer { json = { user = "ann" } }
        nothing_left()
      end)
    end
  end)

  describe("topics", function()
    local function emit(name) world:request("POST", "/emit/" .. name, { body = "to " .. name }) end

    it("are what the rule grants: a handle, a name, a list, none", function()
      local one, two, none = connect("/events?room=one", "ann"), connect("/events?room=two", "ann"),
        connect("/events", "ann")
      emit "one"
      emit "two"
      assert.same({ "to one" }, seen.data(one, "word"))
      assert.same({ "to one", "to two" }, seen.data(two, "word"))
      assert.same({}, seen.data(none, "word"))
    end)

    it("are don't know when the rule raises", function()
      assert.equal(503, connect("/events?room=raises", "ann").status)
      nothing_left()
      expect_errors(1, "no room")
    end)

    it("that nobody declared are don't know, and are logged", function()
      local tab = connect("/events?room=undeclared", "ann")
      assert.equal(503, tab.status)
      expect_errors(1, "no app:topic declares it")
      nothing_left()
    end)

    it("that the client asks for go through subscribe", function()
      local held = world:hold "GET /may/ann/x"
      local tab = connect("/events?topic=user:ann&topic=asked%3Ax", "ann")
      assert.equal("waiting", tab.state)
      held:answer { status = 200 }
      assert.equal(200, tab.status)
      tab = connect("/events?topic=asked:x&topic=user:ann", "ann")
      held:answer { status = 403 }
      assert.equal(403, tab.status)
    end)

    for what, query in pairs {
      ["another user's"] = "topic=user:bob", ["one that has no subscribe"] = "topic=room:one",
      ["one that nobody declared"] = "topic=nothing", ["an empty one"] = "topic=",
      ["a broken name"] = "topic=user:%a",
      ["one of two that is not granted"] = "topic=user:ann&topic=user:bob",
    } do
      it("that the client may not have are 403: " .. what, function()
        for _, path in ipairs { "/events", "/retrying" } do
          local tab = connect(path .. "?" .. query, "ann")
          assert.equal(403, tab.status)
          assert.equal("forbidden", code_of(tab))
        end
        nothing_left()
      end)
    end

    it("of which nobody knows whether the client may have them are 503", function()
      assert.equal(503, connect("/events?topic=asked:raises", "ann").status)
      world:fail("GET /may/ann/x", "network")
      assert.equal(503, connect("/events?topic=asked:x", "ann").status)
      nothing_left()
      expect_errors(2)
    end)

    it("are bounded", function()
      assert.equal(200, connect("/few?room=two", "ann").status)
      assert.equal(403, connect("/few?room=two&topic=user:ann", "ann").status)
    end)
  end)

  describe("upstream keys", function()
    it("give one lease each, or none where there is no key", function()
      connect("/fed", "ann")
      connect("/fed", "keyless")
      assert.equal(1, #world:links())
      assert.equal(1, world:upstream("feed", "ann").leases)
    end)

    it("that raise are don't know, and take nothing", function()
      assert.equal(503, connect("/fed", "raising").status)
      nothing_left()
      expect_errors(1, "no key")
    end)

    it("are don't know where there are too many links", function()
      seen.close(world)
      world = rig.load("spec/fixtures/attach.lua", { links = 1 })
      local tab = connect("/fed", "ann")
      local refused = connect("/fed", "bob")
      assert.equal(503, refused.status)
      assert.equal("links", code_of(refused))
      assert.equal(200, connect("/fed", "ann").status)
      assert.equal(2, world:upstream("feed", "ann").leases)
      tab:cut()
      assert.equal(1, world:upstream("feed", "ann").leases)
    end)

    it("give back the lease that they have, when there is no second link to be had", function()
      seen.close(world)
      world = rig.load("spec/fixtures/attach.lua", { links = 1 })
      assert.equal(503, connect("/twice", "ann").status)
      assert.equal(0, world:upstream("feed", "ann").leases)
      world:advance(10.1)
      nothing_left()
    end)

    it("give one lease for each upstream", function()
      local tab = connect("/twice", "ann")
      assert.equal(1, world:upstream("feed", "ann").leases)
      assert.equal(1, world:upstream("second", "ann").leases)
      tab:cut()
      world:advance(10.1)
      nothing_left()
    end)
  end)

  describe("limits", function()
    it("of the node are 503, those on their way in counted; other requests go on", function()
      seen.close(world)
      world = rig.load("spec/fixtures/attach.lua", { streams = 2 })
      local held = world:hold "GET /session"
      local first, waiting = connect("/events", "ann"), ask()
      local refused, later = connect("/events", "bob"), connect("/retrying", "bob")
      assert.equal(503, refused.status)
      assert.equal("full", code_of(refused))
      assert.equal(200, later.status)
      assert.is_false(later:is_open())
      assert.equal(200, world:request("GET", "/who").status)
      waiting:cut()
      assert.equal(200, connect("/events", "bob").status)
      first:cut()
      assert.equal(200, connect("/events", "carl").status)
      held:answer {}
    end)

    it("of a user are 503 for that user", function()
      seen.close(world)
      world = rig.load("spec/fixtures/attach.lua", { streams_per_user = 2 })
      local tab = connect("/events", "ann")
      connect("/retrying", "ann")
      assert.equal(503, connect("/events", "ann").status)
      assert.equal(200, connect("/events", "bob").status)
      tab:cut()
      assert.equal(200, connect("/events", "ann").status)
    end)
  end)

  describe("its hooks", function()
    local watcher

    before_each(function() watcher = connect "/open" end)

    it("hear of its beginning and of its end, with who and why", function()
      connect("/noted", "ann"):cut()
      assert.same({ "ann ann" }, seen.data(watcher, "connect"))
      assert.same({ "ann ann client" }, seen.data(watcher, "disconnect"))
    end)

    it("hear of every other end, too", function()
      local slow = connect("/noted?room=one", "slow")
      slow:stall()
      world:request("POST", "/emit/one", { body = "x" })
      world:advance(31)
      connect("/noted", "kicked")
      world:request("POST", "/kick", { json = { user = "kicked" } })
      connect("/noted", "gone", { headers = { ["x-life"] = "5" } })
      world:advance(6)
      assert.same({ "slow slow slow", "kicked kicked kicked", "gone gone expired" },
        seen.data(watcher, "disconnect"))
    end)

    it("do not hear of a stream that never began", function()
      connect "/noted"
      connect("/noted?topic=user:bob", "ann")
      assert.same({}, watcher:types())
    end)

    it("may end it: a plain false", function()
      world:reply("GET /choose", { status = 403 })
      local tab = connect("/choosy", "ann")
      assert.is_false(tab:is_open())
      assert.equal("refused", tab.why)
      assert.same({ "ann ann refused" }, seen.data(watcher, "disconnect"))
      assert.is_true(connect("/choosy", "root"):is_open())
    end)

    it("are stopped when it ends while they wait", function()
      local held = world:hold "GET /choose"
      local tab = connect("/choosy", "ann")
      assert.is_true(tab:is_open())
      tab:cut()
      assert.same({ "ann ann client" }, seen.data(watcher, "disconnect"))
      held:answer { status = 403 }
      assert.same({ "ann ann client" }, seen.data(watcher, "disconnect"))
    end)

    it("that raise end nothing: it is not they who are asked", function()
      assert.is_true(connect("/failing", "ann"):is_open())
      expect_errors(1, "connect fails")
    end)
  end)

  describe("ends", function()
    it("when the session expires: an event, then the end, a little early and spread out", function()
      local ends = {}
      local tabs = {}
      for i = 1, 40 do tabs[i] = connect("/events", "u" .. i, { headers = { ["x-life"] = "60" } }) end
      for second = 1, 600 do
        world:advance(0.1)
        for i, tab in ipairs(tabs) do
          if not tab:is_open() and not ends[i] then ends[i] = second / 10 end
        end
      end
      local least, most = math.huge, 0
      for i, tab in ipairs(tabs) do
        assert.same({ "expired" }, tab:types())
        assert.equal("expired", tab.why)
        least, most = math.min(least, ends[i]), math.max(most, ends[i])
      end
      assert.is_true(least >= 54.9 and most <= 60 and most - least > 2.5)
    end)

    it("at once when the session has expired already", function()
      for _, headers in ipairs { { ["x-life"] = "-5" }, { ["x-expires"] = "0" }, { ["x-expires"] = "0.0004" } } do
        local tab = connect("/events", "ann", { headers = headers })
        world:advance(0.01)
        assert.same({ "expired" }, tab:types())
        assert.is_false(tab:is_open())
      end
    end)

    it("never at a time that is none: such a session is don't know", function()
      for _, expires in ipairs { "-1", "nan", "inf", "1e15" } do
        assert.equal(503, connect("/events", "ann", { headers = { ["x-expires"] = expires } }).status)
      end
      expect_errors(4, "expires must be seconds since 1970")
    end)

    it("in the last fifth of its lifetime, spread out", function()
      local tabs, ends = {}, {}
      for i = 1, 40 do tabs[i] = connect("/brief", "u" .. i) end
      for second = 1, 101 do
        world:advance(1)
        for i, tab in ipairs(tabs) do
          if not tab:is_open() then ends[i] = ends[i] or second end
        end
      end
      table.sort(ends)
      assert.equal(40, #ends)
      assert.equal("lifetime", tabs[1].why)
      assert.is_true(ends[1] >= 80 and ends[40] <= 100)
      assert.is_true(ends[40] - ends[1] > 12)
    end)

    it("by what comes first: the session or the lifetime", function()
      local short = connect("/brief", "ann", { headers = { ["x-life"] = "50" } })
      local long = connect("/brief", "bob", { headers = { ["x-life"] = "5000" } })
      world:advance(101)
      assert.equal("expired", short.why)
      assert.equal("lifetime", long.why)
    end)

    it("when the rules disconnect its user, its tag, everybody", function()
      local tag = ("t"):rep(16)
      local ann, tagged = connect("/events", "ann"), connect("/events", "ann", { tag = tag })
      local bob, carl = connect("/events", "bob", { tag = tag }), connect("/events", "carl")
      local function kick(who) return world:request("POST", "/kick", { json = who }).json.ended end
      assert.equal(1, kick { user = "ann", tag = tag })
      assert.equal("kicked", tagged.why)
      assert.is_true(ann:is_open() and bob:is_open())
      assert.equal(0, kick { user = "nobody" })
      assert.equal(1, kick { user = "ann" })
      assert.equal("kicked", ann.why)
      assert.equal(2, kick {})
      assert.is_false(bob:is_open() or carl:is_open())
      nothing_left()
    end)
  end)
end)
