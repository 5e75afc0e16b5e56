-- Recordings on the rig: what is brought when, which answer is whose, what is said of what did not fit; and how two
-- lists of triggers are compared.

local changes = require "sluice.rig.changes"
local json    = require "cjson.safe"
local rig     = require "sluice.rig"
local rules   = require "spec.support.rules"

local RULES = [[
local http, time = require "sluice.http", require "sluice.time"
local mine = app:topic("user:{user}", { history = { size = 10, ttl = 60 } })
local session = sluice.identity(function(req)
  local answer = http.get("http://app/session", { headers = { cookie = req.headers.cookie } })
  if answer.status == 401 then return nil end
  local who = answer:expect(200):json()
  return { user = who.user, data = who.data }
end)
local feed = app:upstream("feed", { key = function(sub) return sub.user end, topic = mine, grace = 1,
  request = function(key, data)
    return { url = "http://app/events/" .. key, headers = { token = data and data.token } }
  end })
feed:on("note", function(ev) mine(ev.key):emit("note", ev.data) end)
feed:on("hour", function(ev) mine(ev.key):emit("hour", os.date("!%H:%M:%S", os.time())) end)
feed:on("ask", function(ev)
  mine(ev.key):emit("answer", http.post("http://app/ask", { json = { a = ev.data, b = 1 } }).body)
end)
feed:on("@open", function(ev) if ev:json().reopened then mine(ev.key):emit("again", "") end end)
feed:on("@lost", function(ev) mine(ev.key):emit("lost", ev:json().detail) end)
app:stream("events", { path = "/events", identity = session, upstreams = { feed },
  topics = function(_, sub) return mine(sub.user) end })
local room = app:topic("room:{n}", { subscribe = function() return http.get("http://app/may").status == 200 end })
feed:on("room", function(ev) room "1":emit("room", ev.data) end)
app:route("enter", "POST /enter", { identity = session, run = function(req)
  return app:subscribers { user = req.user }[1]:subscribe(room "1") and 204 or 403
end })
local function list(_, sub)
  return http.get("http://app/topics", { headers = { token = sub.data.token } }):expect(200):json()
end
app:stream("listed", { path = "/listed", identity = session, upstreams = { feed },
  connect = function(sub) mine(sub.user):emit("hello", sub.data.token) return true end,
  topics = list })
app:stream("patient", { path = "/patient", identity = session, upstreams = { feed }, refusal = "retry", topics = list })
]]

local HEAD = { t = 0, what = "recording", version = 1, sluice = "0", wall_ms = 1700000000000, apps = { "demo" },
  streams_before = 0, cursor = ("0"):rep(32) }

local function request(t, id, cookie, more)
  local entry = { t = t, what = "request", id = id, method = "GET", path = "/events",
    headers = { { "cookie", cookie } }, address = "127.0.0.1", listener = "127.0.0.1:8080" }
  for _, header in ipairs(more or {}) do table.insert(entry.headers, header) end
  return entry
end

local function ask(t, id, cookie)
  return { t = t, what = "fetch", id = id, method = "GET", url = "http://app/session",
    headers = { { "cookie", cookie } } }
end

local function answered(t, id, user, data)
  local body = json.encode { user = user, data = data }
  return { t = t, what = "fetched", id = id, status = 200, headers = {}, body = body }
end

local function wire(t, id, key)
  return { t = t, what = "wire", id = id, app = "demo", upstream = "feed", key = key,
    url = "http://app/events/" .. key }
end

-- Ann's stream and link, from before the recording.
local function stream_before(id, more)
  local entry = { t = 0, what = "stream", id = id, status = 200, before = true, app = "demo", stream = "events",
    path = "/events", listener = "127.0.0.1:8080", user = "ann", tag = ("one-"):rep(5), topics = { "user:ann" } }
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

local function wire_before(id)
  local entry = wire(0, id, "ann")
  entry.before, entry.headers = true, nil
  return entry
end

local function head(t, id, status)
  return { t = t, what = "head", id = id, status = status or 200, type = "text/event-stream" }
end

local function event(t, id, type, data) return { t = t, what = "event", id = id, type = type, data = data } end

local function cursor(n) return ("c"):rep(31) .. n end

local function trigger(t, n, type, data)
  return { t = t, what = "trigger", topic = "user:ann", type = type, data = data, cursor = cursor(n) }
end

-- Ann's stream from 10 ms on; her link is open at 12.
local function began(...)
  local list = { HEAD, request(10, 1, "c=1"), ask(10, 2, "c=1"), answered(11, 2, "ann"), wire(11, 3, "ann"),
    { t = 11, what = "stream", id = 1, status = 200 }, head(12, 3) }
  for _, entry in ipairs { ... } do list[#list + 1] = entry end
  return list
end

describe("a replay", function()
  local world, path

  local function replay(entries)
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    for _, entry in ipairs(entries) do file:write(json.encode(entry), "\n") end
    file:close()
    world = rules.with_file(rules.head(RULES), function(rule_file)
      return rig.replay(path, { rules = rule_file })
    end)
    os.remove(path)
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("has no Redis: a command fails as away, and is noted once", function()
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(json.encode(HEAD), "\n")
    for i = 1, 2 do file:write(json.encode(request(10 * i, i, "c=1", {})), "\n") end
    file:close()
    world = rules.with_file(rules.head [[
      local db, all = require "sluice.redis".connect "redis://far", app:topic "all"
      app:route("r", "GET /events", { run = function()
        all():emit("got", (select(2, db:try("GET", "k"))))
        return 204
      end })
    ]], function(rule_file) return rig.replay(path, { rules = rule_file }) end)
    os.remove(path)
    assert.same({ "away", "away" }, { world:triggers "all"[1].data, world:triggers "all"[2].data })
    assert.same({ "sent to Redis, which no recording has: GET" }, world.notes)
  end)

  -- "type data" of each trigger, with its time where asked.
  local function seen(times)
    local list = {}
    for i, placed in ipairs(world:triggers()) do
      list[i] = (times and ("%.3f "):format(placed.at) or "") .. placed.type .. " " .. placed.data
    end
    return list
  end

  -- Without what is said of handlers that the spec does not care for.
  local function misfits()
    local list = {}
    for _, note in ipairs(world.notes) do
      if not note:find "no recorded event for" then list[#list + 1] = note end
    end
    return list
  end

  it("brings clients and events at their times, in the time of day that it was", function()
    replay(began(event(5000, 3, "note", "one"), event(60000, 3, "hour", "x"), { t = 60500, what = "gone", id = 1 }))
    assert.same({ "5.000 note one", "60.000 hour 22:14:20" }, seen(true))
    assert.same({}, misfits())
    assert.equal("client 1", world:journal()[#world:journal()].who)
    assert.equal(0, world:counters().subscribers)
  end)

  it("changes the topics of a stream as it was done then", function()
    local enter = request(100, 5, "c=1")
    enter.method, enter.path = "POST", "/enter"
    replay(began(event(90, 3, "room", "before"), enter, ask(100, 6, "c=1"), answered(101, 6, "ann"),
      { t = 101, what = "fetch", id = 7, method = "GET", url = "http://app/may", headers = {} },
      event(140, 3, "room", "early"), { t = 150, what = "fetched", id = 7, status = 200, headers = {}, body = "" },
      event(160, 3, "room", "after")))
    local got = {}
    for _, entry in ipairs(world:journal()) do
      if entry.what == "room" then got[#got + 1] = entry.data end
    end
    assert.same({ "after" }, got)
    assert.same({}, misfits())
  end)

  it("answers each request as the recorded one like it, after the time that it took", function()
    local list = began(event(100, 3, "ask", "q"),
      { t = 100, what = "fetch", id = 5, method = "POST", url = "http://elsewhere:1/ask", headers = {},
        body = '{"b":1,"a":"q"}' },
      { t = 350, what = "fetched", id = 5, status = 200, headers = {}, body = "yes" })
    replay(list)
    assert.same({ "0.350 answer yes" }, seen(true))
    assert.same({}, misfits())
  end)

  it("tells two users' requests apart by their headers", function()
    replay {
      HEAD, request(10, 1, "c=bob"), request(10, 2, "c=ann"), ask(10, 3, "c=ann"), ask(10, 4, "c=bob"),
      answered(20, 3, "ann"), answered(30, 4, "bob"), wire(20, 5, "ann"), head(21, 5), wire(30, 6, "bob"), head(31, 6),
      event(40, 5, "note", "hers"), event(50, 6, "note", "his"),
    }
    local got = {}
    for _, entry in ipairs(world:journal()) do
      if entry.what == "note" then got[#got + 1] = ("%s of %s: %s"):format(entry.who, entry.topic, entry.data) end
    end
    assert.same({ "client 2 of user:ann: hers", "client 1 of user:bob: his" }, got)
  end)

  it("fails a request that the recording does not have, and says so", function()
    replay(began(event(100, 3, "ask", "other")))
    assert.same({}, (function()
      local answers = {}
      for _, placed in ipairs(world:triggers()) do if placed.type == "answer" then answers[1] = placed end end
      return answers
    end)())
    assert.same({ "asked, but not in the recording: POST http://app/ask" }, misfits())
    assert.matches("the recording does not have this request", (world:log()))
  end)

  it("repeats failures, statuses and reopenings when they were, whatever the backoff draws", function()
    replay(began(
      { t = 1000, what = "cut", id = 3, code = "network", sentence = "gone" },
      wire(1900, 6, "ann"), head(1950, 6, 503),
      { t = 1950, what = "closed", id = 6 },
      wire(25000, 7, "ann"), head(25010, 7), event(25020, 7, "note", "back")))
    local all = seen(true)
    assert.matches("^1.000 lost", all[1])
    assert.matches("^1.950 lost.*503", all[2])
    assert.matches("^25.010 resync", all[3])
    assert.same({ "25.010 again ", "25.020 note back", 5 }, { all[4], all[5], #all })
    assert.same({}, misfits())
  end)

  it("keeps what a wire brings until the rules have opened it", function()
    local list = began(event(40, 3, "note", "early"))
    list[4].t = 400 -- the session's answer comes late
    table.insert(list, table.remove(list, 4))
    replay(list)
    assert.same({ "0.400 note early" }, seen(true))
  end)

  it("resumes by the recorded cursors of the same triggers", function()
    replay(began(event(100, 3, "note", "one"), trigger(100, 1, "note", "one"), event(200, 3, "note", "two"),
      trigger(200, 2, "note", "two"), { t = 300, what = "gone", id = 1 },
      request(400, 8, "c=1", { { "last-event-id", cursor(1) } }), ask(400, 9, "c=1"), answered(401, 9, "ann")))
    local got = {}
    for _, entry in ipairs(world:journal()) do
      if entry.who == "client 8" then got[#got + 1] = entry.what .. " " .. entry.data end
    end
    assert.matches('^ready {"resumed":true,', got[1])
    assert.same({ "note two", 2 }, { got[2], #got })
  end)

  it("resumes by recorded ids of the publisher's, which may be others now", function()
    local named = trigger(100, 1, "note", "one")
    named.id = "urn:uuid:1"
    local later = request(400, 8, "c=1")
    later.query = "last_event_id=urn%3Auuid%3A1"
    replay(began(event(100, 3, "note", "one"), named, event(200, 3, "note", "two"), trigger(200, 2, "note", "two"),
      { t = 300, what = "gone", id = 1 }, later, ask(400, 9, "c=1"), answered(401, 9, "ann")))
    local got = {}
    for _, entry in ipairs(world:journal()) do
      if entry.who == "client 8" then got[#got + 1] = entry.what .. " " .. entry.data end
    end
    assert.matches('^ready {"resumed":true,', got[1])
    assert.same({ "note two", 2 }, { got[2], #got })
  end)

  describe("of streams from before the recording", function()
    local function began_amid(streams, ...)
      local first = {}
      for name, value in pairs(HEAD) do first[name] = value end
      first.streams_before = streams
      return replay { first, ... }
    end

    it("opens them and their links first, and says nothing of it", function()
      began_amid(1, wire_before(2), head(0, 2), stream_before(1), event(5, 2, "note", "one"),
        { t = 10, what = "cut", id = 2, code = "network", sentence = "gone" }, wire(900, 6, "ann"), head(950, 6),
        { t = 1000, what = "gone", id = 1 })
      local all = seen(true)
      assert.equal("0.005 note one", all[1])
      assert.matches("^0.010 lost", all[2])
      assert.matches("^0.950 resync", all[3])
      assert.same({ "0.950 again ", 4 }, { all[4], #all })
      assert.same({}, misfits())
      assert.equal(0, world:counters().subscribers)
    end)

    it("lets rules have what identity had said of them, and asks it nothing", function()
      began_amid(1, wire_before(2), head(0, 2), stream_before(1, { data = '{"token":"secret-1"}' }),
        event(5, 2, "note", "one"))
      assert.same({ "0.005 note one" }, seen(true))
      assert.equal("secret-1", world:upstream("feed", "ann").headers.token)
      assert.same({}, world:requests "GET /session")
      assert.same({ { who = "client 1", what = "note", topic = "user:ann" } }, world:journal("who", "what", "topic"))
    end)

    local lost = { t = 0, what = "lost", app = "demo", upstream = "feed", key = "ann" }

    local function opened_again()
      local all = seen(true)
      assert.matches("^0.950 resync", all[1])
      assert.same({ "0.950 again ", "0.960 note back", 3 }, { all[2], all[3], #all })
      assert.same({}, misfits())
    end

    it("opens again what was open once and is not", function()
      began_amid(1, lost, stream_before(1), wire(900, 6, "ann"), head(950, 6), event(960, 6, "note", "back"))
      opened_again()
    end)

    it("opens again what was being opened again", function()
      began_amid(1, wire_before(2), lost, stream_before(1), head(950, 2), event(960, 2, "note", "back"))
      opened_again()
    end)

    it("opens for the first time what was not open yet", function()
      began_amid(1, wire_before(2), stream_before(1), head(300, 2), event(310, 2, "note", "first"))
      assert.same({ "0.310 note first" }, seen(true))
      assert.same({}, misfits())
    end)

    it("answers what is asked for them by a later answer, which stays for who asks then", function()
      local as = { path = "/listed", stream = "listed", data = '{"token":"secret-1"}' }
      local function topics(t, id, token)
        return { t = t, what = "fetch", id = id, method = "GET", url = "http://app/topics",
          headers = { { "token", token } } }
      end
      local function list(t, id, names)
        return { t = t, what = "fetched", id = id, status = 200, headers = {}, body = json.encode(names) }
      end
      local come = request(100, 3, "c=1")
      come.path = "/listed"
      began_amid(1, stream_before(1, as), wire(0, 7, "ann"), head(1, 7), event(10, 7, "note", "one"),
        topics(50, 4, "secret-2"), list(51, 4, { "user:bob" }),
        come, ask(100, 8, "c=1"), answered(100, 8, "ann", { token = "secret-1" }),
        topics(100, 5, "secret-1"), list(101, 5, { "user:ann" }))
      assert.same({ "0.010 note one", "0.101 hello secret-1" }, seen(true)) -- and no hello before
      assert.equal("client 1", world:journal("who")[1].who)
      assert.same({ "recorded, but not asked for: GET http://app/topics" }, misfits())
      assert.equal(1, world.network.noted[misfits()[1]])
    end)

    it("has the recorded topics where the rules cannot know them", function()
      began_amid(2, wire_before(2), head(0, 2),
        stream_before(1, { path = "/listed", stream = "listed", data = '{"token":"secret-1"}' }),
        stream_before(3, { path = "/patient", stream = "patient", data = '{"token":"secret-1"}',
          tag = ("two-"):rep(5) }),
        event(10, 2, "note", "one"))
      assert.same({ "0.010 note one" }, seen(true))
      assert.same({ { who = "client 1", topic = "user:ann" }, { who = "client 3", topic = "user:ann" } },
        world:journal("who", "topic"))
      assert.same({
        "asked for a stream or link from before the recording, and not in it: GET http://app/topics",
        "/listed: the rules do not know the topics of a stream from before the recording; it has the recorded ones",
        "/patient: the rules do not know the topics of a stream from before the recording; it has the recorded ones",
      }, misfits())
    end)

    it("says which it does not have", function()
      began_amid(3, stream_before(1))
      assert.same({ 'opened, but not in the recording: upstream feed for "ann"',
        "2 streams were open before the recording began, and are not in it" }, misfits())
    end)
  end)

  it("says what was not asked, not opened, answered otherwise, not handled, not reached", function()
    local list = began(event(100, 3, "note", "one"), event(110, 3, "new", "x"), wire(120, 9, "bob"), head(121, 9),
      event(122, 9, "note", "to nobody"), ask(130, 10, "c=2"))
    list[6].status = 401
    list[1] = { t = 0, what = "recording", version = 1, wall_ms = 0, streams_before = 3 }
    replay(list)
    assert.same({
      "3 streams were open before the recording began, and are not in it",
      "/events was answered 401, and is 200 now",
      'recorded, but not opened: upstream feed for "bob"',
      "recorded, but not asked for: GET http://app/session",
      "upstream feed of app demo: no recorded event for the handlers of ask, hour, room",
      "upstream feed of app demo: no handler for new (1)",
    }, world.notes)
  end)

  it("lets rules see the process's environment behind env", function()
    local text = [[local home, own = sluice.env "HOME", sluice.env "OWN"
      app:route("env", "GET /env", { run = function() return 200, home .. " " .. own end })]]
    assert.error_matches(function() rules.load(text, { env = { OWN = "mine" } }) end, "HOME")
    world = rules.load(text, { environ = true, env = { OWN = "mine" } })
    assert.equal(os.getenv "HOME" .. " mine", world:request("GET", "/env").body)
  end)

  it("raises for a file that is none, naming the line", function()
    assert.error_matches(function() replay { { what = "other" } } end, ":1: this is no recording")
    assert.error_matches(function() replay { { what = "recording", version = 2 } } end, "version 2; this sluice reads")
    assert.error_matches(function() replay { HEAD, { t = 1 } } end, ":2: an entry without t or what")
    assert.error_matches(function() replay { HEAD, 7 } end, ":2: this is no line of a recording: 7")
    os.remove(path)
  end)
end)

describe("the comparison of triggers", function()
  local function list(...)
    local triggers = {}
    for i, text in ipairs { ... } do
      local topic, type, data = text:match "^(%S+) (%S+) ?(.*)$"
      triggers[i] = { at = i, topic = topic, type = type, data = data }
    end
    return triggers
  end

  local function compare(was, now, over)
    local found, same = changes.compare(was, now, over)
    local words = {}
    for i, change in ipairs(found) do
      local before, after = change.was and change.was.data or "", change.now and change.now.data or ""
      words[i] = ("%s %s>%s"):format(change.change, before, after)
    end
    return words, same
  end

  it("goes topic by topic, in order, and knows missing, new and changed", function()
    assert.same({}, (compare(list("a x 1", "b x 1", "a x 2"), list("b x 1", "a x 1", "a x 2"))))
    assert.same({ "missing 1>", "new >1" }, (compare(list("a x 1", "a x 2"), list("a x 2", "a x 1"))))
    assert.same({ "missing 2>" }, (compare(list("a x 1", "a x 2", "a x 3"), list("a x 1", "a x 3"))))
    assert.same({ "new >2" }, (compare(list("a x 1", "a x 3"), list("a x 1", "a x 2", "a x 3"))))
    assert.same({ "changed 2>9", "new >8" },
      (compare(list("a x 1", "a x 2", "a x 3"), list("a x 1", "a x 9", "a x 8", "a x 3"))))
    assert.same({ "missing 1>", "new >1" }, (compare(list "a x 1", list "b x 1")))
    assert.equal(2, select(2, compare(list("a x 1", "a x 2", "a x 3"), list("a x 1", "a x 3"))))
  end)

  it("compares what JSON means, users and tags", function()
    assert.same({}, (compare(list 'a x {"a":1,"b":[2,{"c":null}]}', list 'a x { "b":[2,{"c":null}], "a":1.0 }')))
    assert.same({ 'changed [1]>[2]' }, (compare(list "a x [1]", list "a x [2]")))
    local was, now = list "a x 1", list "a x 1"
    was[1].user, was[1].tag, now[1].user, now[1].tag = "ann", "one", "ann", "two"
    assert.same({ "changed 1>1" }, (compare(was, now)))
  end)

  it("compares meta, and ids that the server did not make up", function()
    local was, now = list "a x 1", list "a x 1"
    was[1].meta, now[1].meta = '{"a":1,"b":2}', '{"b":2,"a":1}'
    was[1].id, now[1].id = "urn:uuid:1", "urn:uuid:2"
    now[1].cursor = "c"
    assert.same({}, (compare(was, now)))
    now[1].meta = '{"a":1}'
    assert.same({ "changed 1>1" }, (compare(was, now)))
    now[1].meta, was[1].id, now[1].id = was[1].meta, "one", "two"
    assert.same({ "changed 1>1" }, (compare(was, now)))
  end)

  it("takes nothing for new behind the recording's end", function()
    assert.same({ "new >2" }, (compare(list "a x 1", list("a x 1", "a x 2", "a x 3"), 2)))
  end)

  it("compares long lists without their whole table", function()
    local was, now = {}, {}
    for i = 1, 5000 do
      was[i] = { at = i, topic = "a", type = "x", data = tostring(i) }
      now[i] = { at = i, topic = "a", type = "x", data = tostring(i == 2500 and "other" or i) }
    end
    assert.same({ "changed 2500>other" }, (compare(was, now)))
  end)
end)
