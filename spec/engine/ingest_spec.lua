-- Events that are published over HTTP: who may, what they are, in which order, once, all of a request or none.

local json  = require "cjson.safe"
local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local HEAD = [[
  local http, store, time = require "sluice.http", require "sluice.store", require "sluice.time"
  local me = sluice.identity(function(req) return { user = req.headers["x-user"] or "ann" } end)
  local mine = app:topic("user:{user}", { history = { size = 8, ttl = 300 } })
  app:topic("held:{user}", { filter = function() time.sleep(1) return true end })
  local AUTHORIZE = sluice.bearer { "the-key", "the-next-key" }
]]

local TAIL = [[
  app:stream("events", { path = "/events", identity = me, topics = function(_, sub) return mine(sub.user) end })
]]

local MOVED = [[
  local mutations = app:ingest("mutations", { path = "/publish", authorize = AUTHORIZE })
  mutations:on("moved", function(ev) mine(ev.user or "ann"):emit(ev.type, ev.data) end)
  mutations:on("fails", function(ev)
    mine "ann":emit("moved", "never")
    error "as told"
  end)
  mutations:on("slow", function(ev)
    http.get("http://board/" .. ev.data):expect(200)
    mine "ann":emit("slow", ev.data)
  end)
]]

describe("an ingest", function()
  local world

  local function start(text) world = rules.load(HEAD .. (text or MOVED) .. TAIL) end
  local function connect(user, tag) return world:connect("/events", { headers = { ["x-user"] = user }, tag = tag }) end
  local function publish(events, options)
    local sent = { key = "the-key" }
    for name, value in pairs(options or {}) do sent[name] = value end
    return world:publish("/publish", events, sent)
  end
  local function code(answer) return { answer.status, answer.json.error.code } end

  after_each(function()
    if world then seen.close(world) end
    world = nil
  end)

  local function forgive() -- a rule failed, and that is what was meant
    local _, errors = world:log()
    assert.is_true(errors > 0)
  end

  it("hands an event to its handler, and tells its publisher what came of it", function()
    start()
    local tab, other = connect "ann", connect "bob"
    local answer = publish { type = "moved", data = { card = 7 }, user = "ann" }
    assert.equal(200, answer.status)
    assert.equal("application/json", answer.headers["content-type"])
    assert.same({ '{"card":7}' }, seen.data(tab, "moved"))
    assert.same({}, other:types())
    local cursor = answer.json.cursor
    assert.same({ cursor = tab:events()[2].id, triggers = 1, subscribers = 1 }, answer.json)
    connect "ann"
    publish { type = "moved", data = "x", user = "ann" }
    local later = connect "ann":reconnect { last_event_id = cursor }
    assert.same({ "x" }, seen.data(later, "moved"))
  end)

  it("counts the subscribers of all topics once", function()
    start()
    connect "ann"
    connect "ann"
    connect "bob"
    local answer = publish { { type = "moved", user = "ann" }, { type = "moved", user = "bob" }, { type = "moved" } }
    assert.same({ 3, 3 }, { answer.json.triggers, answer.json.subscribers })
    assert.same({ 1, 0 }, { publish({ type = "moved", user = "cid" }).json.triggers,
      publish({ type = "moved", user = "cid" }).json.subscribers })
  end)

  it("answers before the fan-out, and waits for no filter", function()
    world = rules.load(HEAD:gsub('app:topic%("held', 'local held = app:topic("held') .. [[
      app:ingest("mutations", { path = "/publish", authorize = false }):on("said", function(ev)
        held "ann":emit("said", "x")
      end)
      app:stream("events", { path = "/events", identity = me, topics = function(_, sub) return held(sub.user) end })]])
    local tab = connect "ann"
    local answer = publish { type = "said" }
    assert.same({ 200, 1 }, { answer.status, answer.json.subscribers })
    assert.same({}, tab:types())
    world:advance(1)
    assert.same({ "said" }, tab:types())
  end)

  it("has the answer in the publisher's hands before the trigger is in anybody's", function()
    start()
    local tab, answer = connect "ann", nil
    world:together(function()
      answer = publish { type = "moved" }
      local rounds = 0
      while not answer:result().status and world:round() do rounds = rounds + 1 end
      assert.equal(200, answer.status)
      tab:read()
      assert.same({}, tab:types())
    end)
    assert.same({ "moved" }, tab:types())
  end)

  describe("all or nothing:", function()
    it("what is wrong in one event of a list is said by its place, and nothing is published", function()
      start()
      local tab = connect "ann"
      local answer = publish { { type = "moved" }, { type = "moved" }, { type = "moved" }, { type = 7 } }
      assert.same({ 400, "bad_event" }, code(answer))
      assert.equal("events[3].type: expected a text, got a number", answer.json.error.message)
      answer = publish { { type = "moved" }, { type = "stolen" } }
      assert.same({ 422, "unknown_type" }, code(answer))
      assert.equal("events[1].type: nothing handles 'stolen' here", answer.json.error.message)
      assert.same({}, tab:types())
    end)

    it("a handler that raises takes back what those before it emitted, and nobody need re-read", function()
      start()
      local tab = connect "ann"
      assert.same({ 500, "rule_failed" }, code(publish { { type = "moved" }, { type = "fails" }, { type = "moved" } }))
      assert.same({}, tab:types())
      local told = world:log()
      assert.truthy(told:find('in="mutations:on \\"fails\\""', 1, true), told)
      assert.equal(200, publish({ type = "moved" }).status)
    end)

    it("app:flush has no place in a handler", function()
      start [[
        app:ingest("mutations", { path = "/publish", authorize = AUTHORIZE }):on("*", function(ev)
          mine "ann":emit "x"
          app:flush()
        end)]]
      assert.equal(500, publish({ type = "any" }).status)
      assert.truthy(world:log():find("app:flush cannot be called in an ingest's handler", 1, true))
    end)

    it("data that is no JSON, and was taken for it, is the publisher's fault", function()
      start [[
        app:ingest("mutations", { path = "/publish", authorize = AUTHORIZE }):on("*", function(ev)
          mine "ann":emit("card", ev:json().card)
        end)]]
      local tab = connect "ann"
      local answer = publish { { type = "a", data = { card = "7" } }, { type = "b", data = "no JSON" } }
      assert.same({ 400, "bad_json" }, code(answer))
      assert.truthy(answer.json.error.message:find("event 'b'", 1, true))
      assert.same({}, tab:types())
      publish { type = "a", data = { card = "7" } }
      assert.same({ "7" }, seen.data(tab, "card"))
    end)

    it("is bounded: 100 events unless the rule says otherwise", function()
      start()
      local events = {}
      for i = 1, 100 do events[i] = { type = "moved" } end
      assert.equal(100, publish(events).json.triggers)
      events[101] = { type = "moved" }
      assert.same({ 413, "too_many_events" }, code(publish(events)))
    end)
  end)

  it("passes over types without a handler where the rule says so", function()
    start [[
      local m = app:ingest("mutations", { path = "/publish", authorize = AUTHORIZE, unknown = "ignore" })
      m:on("moved", function(ev) mine "ann":emit "moved" return ev.data end)]]
    local answer = publish { { type = "other" }, { type = "moved", data = "1" }, { type = "other" } }
    assert.same({ 1, { json.null, "1", json.null } }, { answer.json.triggers, answer.json.result })
    assert.same({ 0, 200 }, { publish({ type = "other" }).json.triggers, publish({ type = "other" }).status })
  end)

  it("shows a handler what was published, however it was written", function()
    start [[
      app:ingest("mutations", { path = "/publish", authorize = AUTHORIZE }):on("*", function(ev)
        return { ev.type, ev.data, ev.id or 0, ev.tag or 0, ev.user or 0, ev.key or 0, ev.topic or 0, #ev.topics,
          ev.source, ev.publisher == nil }
      end)]]
    local tag = "a-tab-of-ann-0001"
    local function shown(...) return publish(...).json.result end
    local full = { "t", "d", "1", tag, "ann", "k", "a", 2, "mutations", true }
    assert.same(full, shown { type = "t", data = "d", id = "1", tag = tag, user = "ann", key = "k",
      topic = { "a", "b" } })
    assert.same(full, shown("type=t&data=d&id=1&session_tag=" .. tag .. "&user=ann&key=k&topic=a&topic=b",
      { id = "form", headers = { ["content-type"] = "application/x-www-form-urlencoded" } }))
    assert.same(full, world:publish("/publish?type=t&id=1&user=ann&key=k&topic=a&topic=b&tag=" .. tag, "d",
      { key = "the-key", id = "raw", headers = { ["content-type"] = "text/plain" } }).json.result)
    assert.same({ "h", "", 0, 0, 0, 0, 0, 0, "mutations", true }, shown("", { headers = { ["x-event-type"] = "h" } }))
    assert.same({ "t", "[1]" }, { unpack(shown { type = "t", data = { 1 } }, 1, 2) })
  end)

  describe("a tag", function()
    local FIELD, HEADER, QUERY = "tag-in-the-field-1", "tag-in-the-header-", "tag-in-the-query-1"

    it("of the event stands over the header's, and that over the query's; and its tab has no echo", function()
      start()
      local tabs = { connect("ann", FIELD), connect("ann", HEADER), connect("ann", QUERY) }
      local function say(data, tag, options)
        world:publish("/publish?tag=" .. QUERY, { type = "moved", data = data, user = "ann", tag = tag }, options)
      end
      say("1", FIELD, { key = "the-key", tag = HEADER })
      say("2", nil, { key = "the-key", tag = HEADER })
      say("3", nil, { key = "the-key" })
      local got = {}
      for i, tab in ipairs(tabs) do got[i] = table.concat(seen.data(tab, "moved")) end
      assert.same({ "23", "13", "12" }, got)
      assert.same({ 400, "bad_tag" }, code(publish({ type = "moved" }, { tag = "short" })))
    end)

    it("of a user is nobody's else", function()
      start()
      local ann = connect("ann", FIELD)
      publish({ type = "moved", data = "1", tag = FIELD })              -- nobody's: to everybody
      publish { { type = "moved", data = "2", user = "ann", tag = HEADER } }
      assert.same({ "1", "2" }, seen.data(ann, "moved"))
    end)
  end)

  describe("asks who publishes:", function()
    it("one of its keys", function()
      start()
      for _, key in ipairs { "the-key", "the-next-key" } do
        assert.equal(200, publish({ type = "moved" }, { key = key }).status)
      end
      for _, key in ipairs { "the-ke", "the-key ", "THE-KEY", "" } do
        local answer = publish({ type = "moved" }, { key = key })
        assert.same({ 401, "unauthorized" }, code(answer))
        assert.equal("Bearer", answer.headers["www-authenticate"])
      end
      local basic = world:publish("/publish", { type = "moved" }, { headers = { authorization = "Basic the-key" } })
      assert.equal(401, basic.status)
      assert.equal(401, world:publish("/publish", { type = "moved" }).status)
      local lower = { key = false, headers = { authorization = "bearer the-key" } }
      assert.equal(200, publish({ type = "moved" }, lower).status)
    end)

    local BY_FUNCTION = [[
      local m = app:ingest("mutations", { path = "/publish", authorize = function(req)
        local who = req.headers["x-who"]
        if who == "app" then return true end
        if who == "broken" then error "the session store is away" end
        return who and { user = who, data = { role = "r-" .. who } }
      end })
      m:on("*", function(ev)
        return { ev.user or 0, ev.publisher and ev.publisher.user or 0, ev.publisher and ev.publisher.data.role or 0 }
      end)]]

    local function as(who, events)
      return world:publish("/publish", events or { type = "t" }, { headers = { ["x-who"] = who } })
    end

    it("a function, which says yes, no, or does not know", function()
      start(BY_FUNCTION)
      assert.same({ 401, "unauthorized" }, code(as(nil)))
      assert.same({ 503, "unavailable" }, code(as "broken"))
      forgive()
      assert.same({ 0, 0, 0 }, as "app".json.result)
      assert.same({ "ann", "ann", "r-ann" }, as "ann".json.result)
    end)

    it("an identity that knows who it is, and that this one may not: 403, not 401", function()
      start [[
        local ranks = sluice.roles { "viewer", "editor" }
        local who = sluice.identity(function(req)
          if req.headers["x-who"] == "odd" then return nil, "bad_request" end
          return req.headers["x-who"] and { user = "ann", data = { role = req.headers["x-who"] } }
        end)
        local m = app:ingest("mutations", { path = "/publish", authorize = ranks:at_least("editor", who) })
        m:on("*", function(ev) return ev.user end)]]
      assert.same({ 401, "unauthorized" }, code(as(nil)))
      assert.same({ 403, "forbidden" }, code(as "viewer"))
      assert.same({ 400, "bad_request" }, code(as "odd"))
      assert.same("ann", as "editor".json.result)
    end)

    it("and only an app says whose an event is", function()
      start(BY_FUNCTION)
      assert.same({ "bob", 0, 0 }, as("app", { type = "t", user = "bob" }).json.result)
      assert.same({ "ann", "ann", "r-ann" }, as("ann", { type = "t", user = "ann" }).json.result)
      local answer = as("ann", { { type = "t" }, { type = "t", user = "bob" } })
      assert.same({ 403, "not_your_user" }, code(answer))
      assert.equal("events[1].user: only an app says whose an event is", answer.json.error.message)
    end)

    it("an identity, which the rule may let speak for others", function()
      start [[
        local m = app:ingest("mutations", { path = "/publish", authorize = me, users = "any" })
        m:on("*", function(ev) return { ev.user or 0, ev.publisher.user } end)]]
      assert.same({ "bob", "ann" }, publish({ type = "t", user = "bob" }).json.result)
      assert.same({ 0, "ann" }, publish({ type = "t" }).json.result)
    end)

    it("nobody, if the rule says so; then nobody says whose an event is", function()
      start(MOVED:gsub("authorize = AUTHORIZE", "authorize = false"))
      assert.equal(200, publish({ type = "moved" }, { key = false }).status)
      assert.same({ 403, "not_your_user" }, code(publish({ type = "moved", user = "ann" })))
    end)

    it("and lets no other site's page in", function()
      start()
      local answer = publish({ type = "moved" }, { headers = { ["sec-fetch-site"] = "cross-site" } })
      assert.same({ 403, "cross_site" }, code(answer))
      assert.equal(405, world:request("GET", "/publish").status)
    end)
  end)

  describe("keeps the order", function()
    local function slow(data, key, options)
      return publish({ type = "slow", data = data, key = key }, options)
    end

    it("of one key, and lets another go on", function()
      start()
      local tab = connect "ann"
      local held = { world:hold "GET /1", world:hold "GET /2", world:hold "GET /3" }
      local first, second, other = slow("1", "a"), slow("2", "a"), slow("3", "b")
      assert.same({ 1, 0, 1 }, { held[1].count, held[2].count, held[3].count })
      held[3]:answer { status = 200 }
      assert.equal(200, other:result().status)
      assert.is_nil(second.status)
      held[1]:answer { status = 200 }
      assert.equal(200, first:result().status)
      assert.equal(1, held[2].count)
      held[2]:answer { status = 200 }
      assert.equal(200, second:result().status)
      assert.same({ "3", "1", "2" }, seen.data(tab, "slow"))
    end)

    it("of one publisher, where no key is given", function()
      start()
      local held = { world:hold "GET /1", world:hold "GET /2" }
      slow "1"
      slow "2"
      assert.same({ 1, 0 }, { held[1].count, held[2].count })
      held[1]:answer { status = 200 }
      assert.equal(1, held[2].count)
      held[2]:answer { status = 200 }
    end)

    it("of a list, which waits for all its keys", function()
      start()
      local tab, held = connect "ann", { world:hold "GET /1", world:hold "GET /2" }
      slow("1", "a")
      slow("2", "b")
      local both = publish { { type = "moved", key = "a" }, { type = "moved", key = "b" } }
      held[1]:answer { status = 200 }
      assert.is_nil(both:result().status)
      held[2]:answer { status = 200 }
      assert.equal(200, both:result().status)
      assert.same({ "slow", "slow", "moved", "moved" }, tab:types())
    end)

    it("in bounds: of a publisher whose requests wait already, no more is taken", function()
      start(MOVED:gsub("authorize = AUTHORIZE", "authorize = AUTHORIZE, queue = 2"))
      local held = world:hold "GET /1"
      slow("1", "a")
      local waiting = { publish { type = "moved", key = "a" }, publish { type = "moved", key = "a" } }
      local refused = publish { type = "moved", key = "a" }
      assert.same({ 429, "too_many_waiting" }, code(refused))
      assert.equal("1", refused.headers["retry-after"])
      assert.equal(200, publish({ type = "moved", key = "b" }).status)
      held:answer { status = 200 }
      for _, answer in ipairs(waiting) do assert.equal(200, answer:result().status) end
    end)

    it("and gives up what its publisher does not wait for, unless its handler has begun", function()
      start()
      local tab, held = connect "ann", world:hold "GET /1"
      local first, second, third = slow("1", "a"), publish { type = "moved", key = "a", id = "2", data = "2" },
        publish { type = "moved", key = "a", data = "3" }
      first:cut()
      second:cut()
      assert.same({}, tab:types())
      held:answer { status = 200 }
      assert.equal(200, third:result().status)
      assert.same({ "1", "3" }, { tab:events()[2].data, tab:events()[3].data })
      assert.is_nil(publish({ type = "moved", key = "a", id = "2", data = "2" }).json.duplicate)
    end)

    it("and asks the rules of the day", function()
      start()
      local tab, held = connect "ann", world:hold "GET /1"
      local first, second = slow("1", "a"), publish { type = "moved", key = "a", data = "x" }
      rules.reload(world, HEAD .. MOVED:gsub("emit%(ev.type, ev.data%)", "emit('new', ev.data)") .. TAIL)
      held:answer { status = 200 }
      assert.same({ 200, 200 }, { first:result().status, second:result().status })
      assert.same({ "slow", "new" }, tab:types())
    end)
  end)

  describe("does nothing twice:", function()
    it("the same id has the same answer, and says so", function()
      start()
      local tab = connect "ann"
      local event = { type = "moved", id = "7", data = "x" }
      local first, again = publish(event), publish(event)
      assert.is_nil(first.json.duplicate)
      assert.is_true(again.json.duplicate)
      again.json.duplicate = nil
      assert.same(first.json, again.json)
      assert.same({ "x" }, seen.data(tab, "moved"))
    end)

    it("by the request's key, for a list, too", function()
      start()
      local events = { { type = "moved", id = "1" }, { type = "moved", id = "2" } }
      assert.equal(2, publish(events, { id = "k" }).json.triggers)
      assert.is_true(publish(events, { id = "k" }).json.duplicate)
      assert.is_nil(publish(events).json.duplicate)
    end)

    it("the same id for something else is a conflict", function()
      start()
      publish { type = "moved", id = "7", data = "x" }
      assert.same({ 409, "other_request" }, code(publish { type = "moved", id = "7", data = "y" }))
    end)

    it("for as long as is said, and for each publisher by itself", function()
      start [[
        local m = app:ingest("mutations", { path = "/publish", authorize = me, idempotency = { ttl = 10 } })
        m:on("moved", function(ev) mine "ann":emit("moved", ev.user) end)]]
      local tab = connect "ann"
      local function by(user) return publish({ type = "moved", id = "1" }, { headers = { ["x-user"] = user } }) end
      by "ann"
      assert.is_nil(by "bob".json.duplicate)
      world:advance(9.9)
      assert.is_true(by "ann".json.duplicate)
      world:advance(0.2)
      assert.is_nil(by "ann".json.duplicate)
      assert.same({ "ann", "bob", "ann" }, seen.data(tab, "moved"))
    end)

    it("who asks while the first is under way waits for its answer", function()
      start()
      local tab, held = connect "ann", world:hold "GET /1"
      local event = { type = "slow", data = "1", id = "7" }
      local first, again = publish(event), publish(event)
      assert.same({ 409, "other_request" }, code(publish { type = "moved", id = "7" }))
      held:answer { status = 200 }
      assert.is_nil(first:result().json.duplicate)
      assert.is_true(again:result().json.duplicate)
      assert.same({ "1" }, seen.data(tab, "slow"))
    end)

    it("a first that failed leaves nothing: who waits does it, and who comes later", function()
      start()
      local tab, held = connect "ann", world:hold "GET /1"
      local event = { type = "slow", data = "1", id = "7" }
      local first, second, third = publish(event), publish(event), publish(event)
      held:answer { status = 500 }
      forgive()
      assert.equal(500, first:result().status)
      assert.equal(2, held.count)
      held:answer { status = 200 }
      assert.same({ 200, 200 }, { second:result().status, third:result().status })
      assert.same({ nil, true }, { second.json.duplicate, third.json.duplicate })
      assert.same({ "1" }, seen.data(tab, "slow"))
    end)

    it("who waits for one that its publisher gave up does it", function()
      start()
      local held = world:hold "GET /1"
      publish { type = "slow", data = "1", key = "a" }
      local event = { type = "moved", key = "a", id = "7" }
      local given_up, other = publish(event), publish(event)
      given_up:cut()
      held:answer { status = 200 }
      assert.is_nil(other:result().json.duplicate)
    end)

    it("also over a reload, and when the publisher has gone before its answer", function()
      start()
      local held = world:hold "GET /1"
      local event = { type = "slow", data = "1", id = "7" }
      local client = world:connect("/events")
      publish(event)
      rules.reload(world, HEAD .. MOVED .. TAIL)
      held:answer { status = 200 }
      assert.is_true(publish(event).json.duplicate)
      rules.reload(world, HEAD .. MOVED .. TAIL)
      assert.is_true(publish(event).json.duplicate)
      assert.same({ "1" }, seen.data(client, "slow"))
    end)

    it("unless the rule wants none of it", function()
      start(MOVED:gsub("authorize = AUTHORIZE", "authorize = AUTHORIZE, idempotency = { size = 0 }"))
      for _ = 1, 2 do assert.is_nil(publish({ type = "moved", id = "7" }).json.duplicate) end
    end)
  end)

  it("is told apart by explain, event by event", function()
    start()
    publish { { type = "moved", id = "1", data = "x", user = "ann", key = "k" }, { type = "moved", data = "y" } }
    local triggers = world:explain { topic = "user:ann" }.apps[1].triggers
    assert.equal(2, #triggers)
    local causes = {}
    for _, trigger in ipairs(triggers) do causes[trigger.data] = trigger.cause end
    assert.equal('mutations:on "moved"', causes.x.what)
    assert.same({ "mutations", "k", "moved", "1" },
      { causes.x.source, causes.x.key, causes.x.type, causes.x.id })
    assert.equal("", causes.y.id)
  end)

  it("is seen by a shadow, whose handlers are asked for the whole request", function()
    start()
    local tab = connect "ann"
    local other = MOVED:gsub("emit%(ev.type, ev.data%)", "emit(ev.type, ev.data == 'b' and 'B' or ev.data)")
    rules.with_file(rules.head(HEAD .. other .. TAIL), function(path) return world:shadow(path) end)
    publish { { type = "moved", data = "a" }, { type = "moved", data = "c" } }
    publish { { type = "moved", data = "a" }, { type = "moved", data = "b" } }
    publish { { type = "moved", data = "a" }, { type = "fails" } }
    forgive()
    local shadow = world:shadowed()
    assert.same({ 3, 1, 1 }, { shadow.events, shadow.different, shadow.failed })
    assert.truthy(shadow.differences[1].lines:find("- user:ann moved b", 1, true))
    assert.truthy(shadow.differences[1].lines:find("+ user:ann moved B", 1, true))
    assert.same({ "a", "c", "a", "b" }, seen.data(tab, "moved"))
    world:shadow(nil)
  end)

  it("can have its events dropped: counted, warned of in a pace, no failure, and not by a shadow", function()
    local text = [[
      local f = app:topic("f", {
        subscribe = function() return true end,
        filter    = function(ev) ev:drop "no" return true end,
      })
      local mutations = app:ingest("mutations", { path = "/publish", authorize = AUTHORIZE })
      mutations:on("moved", function(ev)
        mine "ann":emit("before", "")
        ev:drop(ev.data)
        mine "ann":emit("after", "")
      end)
      mutations:on("nothing", function(ev) ev:drop() end)
      mutations:on("filtered", function(ev) f():emit("x") end)
    ]]
    start(text)
    local tab = connect "ann"
    rules.with_file(rules.head(HEAD .. text .. TAIL), function(path) return world:shadow(path) end)
    for _ = 1, 20 do publish { type = "moved", data = "it\nis " .. ("x"):rep(300) } end
    assert.equal(20, world:counters().events_dropped)
    assert.equal(0, world:counters().failures)
    assert.same(20, #seen.data(tab, "before"))
    assert.same(20, #seen.data(tab, "after"))
    local lines, why = 0, nil
    for line in world:log():gmatch "[^\n]+" do
      if line:find('msg="event dropped"', 1, true) then lines, why = lines + 1, line:match 'why="(.-)"' end
    end
    assert.is_true(lines >= 5 and lines <= 10)
    assert.equal(256 + 1, #why) -- the line end takes two
    world:shadow(nil)

    assert.same({ 500, "rule_failed" }, code(publish { type = "nothing" }))
    world:connect("/events?topic=f", { headers = { ["x-user"] = "ann" } })
    publish { type = "filtered" }
    local said = world:log()
    assert.truthy(said:find("expected a sentence that says why, got a no value", 1, true))
    assert.truthy(said:find("a trigger cannot be dropped; answer false", 1, true))
    assert.equal(20, world:counters().events_dropped)
  end)

  it("holds a drain until what is under way is answered", function()
    start()
    local held = world:hold "GET /1"
    local first, second = publish { type = "slow", data = "1" }, publish { type = "moved" }
    world:drain()
    held:answer { status = 200 }
    assert.same({ 200, 200 }, { first:result().status, second:result().status })
  end)
end)
