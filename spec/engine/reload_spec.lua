-- Other rules under a running app: state stays, code is found again by its name.

local rules = require "spec.support.rules"

-- The rules of these specs in versions that differ in what `parts` says:
-- version, filter, handler, period, streams and upstreams (lists of names), retry, topics (patterns), grace, lifetime,
-- request (statements before its return), path (of the upstreams' URLs).
local function text(parts)
  local lines = {
    'local http, store = require "sluice.http", require "sluice.store"',
    'local VERSION = "' .. (parts.version or "one") .. '"',
    [[local session = sluice.identity(function(req)
        if req.headers["x-slow"] then http.get "http://app.test/session" end
        return { user = req.headers["x-user"] }
      end)]],
    ([[local mine = app:topic("user:{user}", { history = { size = 8, ttl = 300 }, filter = %s })]])
      :format(parts.filter or "nil"),
    "local links = {}",
  }
  local function add(...) lines[#lines + 1] = string.format(...) end
  for _, pattern in ipairs(parts.topics or { "room:{room}" }) do
    add("app:topic(%q, { history = { size = 8, ttl = 300 } })", pattern)
  end
  for _, name in ipairs(parts.upstreams or { "feed" }) do
    add([[links[#links + 1] = app:upstream(%q, { topic = mine, grace = %d, key = %s,
            request = function() %s return { url = "http://%s.test%s" } end })]],
      name, parts.grace or 10, parts.key or "function(sub) return sub.user end", parts.request or "", name,
      parts.path or "/events")
    add([[links[#links]:on("note", %s)]],
      parts.handler or "function(ev) mine(ev.key):emit(VERSION, ev.data) end")
  end
  for _, name in ipairs(parts.streams or { "events" }) do
    add([[app:stream(%q, { path = "/%s", identity = session, upstreams = links, heartbeat = %d, lifetime = %d,
            connect = function(sub) store.increment("connects") end,
            disconnect = function(sub, why) store.set("left", VERSION .. " " .. why) end,
            topics = function(_, sub) return { mine(sub.user), %s } end })]],
      name, name, parts.heartbeat or 20, parts.lifetime or 0, parts.joins or "'room:1'")
  end
  if parts.period then
    add([[app:every("tick", { period = %d, run = function()
            store.increment("ticks")
            %s
            store.set("ticked", VERSION)
          end })]], parts.period, parts.tick or "")
  end
  add [[app:route("get", "GET /store/{key}", { run = function(_, params)
          return { json = { value = store.get(params.key), version = VERSION } }
        end })]]
  add [[app:route("slow", "POST /slow", { run = function(req)
          http.get "http://app.test/slow"
          mine "ann":emit("slow", VERSION)
          return { json = { version = VERSION } }
        end })]]
  return table.concat(lines, "\n")
end

describe("a reload", function()
  local world

  local function start(parts, options) world = rules.load(text(parts or {}), options) end
  local function reload(parts) rules.reload(world, text(parts or {})) end
  local function connect(user, options)
    options = options or {}
    options.headers = { ["x-user"] = user or "ann", ["x-slow"] = options.slow }
    return world:connect(options.path or "/events", options)
  end
  local function feed(name) return world:upstream(name or "feed", "ann") end
  local function stored(key) return world:request("GET", "/store/" .. key).json.value end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("keeps subscriber, link, lease and store; the changed handler takes the next event", function()
    start()
    local tab = connect()
    local wire = feed().wire
    feed():send("note", "1", { id = 7 })
    reload { version = "two" }
    assert.is_true(tab:is_open())
    assert.same({ wire, 1 }, { feed().wire, feed().leases })
    assert.equal(1, stored "connects")
    feed():send("note", "2", { id = 8 })
    assert.same({ "one", "two" }, tab:types())
    assert.equal(1, world:counters().vms)
    tab:close()
    assert.equal("two client", stored "left")
    world:advance(10.1)
    assert.same({}, world:links())
  end)

  it("keeps history and cursor: who comes back has missed nothing", function()
    start()
    local tab = connect()
    feed():send("note", "1")
    feed():send("note", "2")
    local second = tab:events()[3]
    reload { version = "two" }
    feed():send("note", "3")
    tab:close()
    feed():send("note", "4")
    local again = tab:reconnect { last_event_id = second.id }
    assert.is_true(again.ready.resumed)
    assert.same({ "two", "two" }, again:types())
    assert.equal("3", again:events()[2].data)
  end)

  it("keeps what waits in a window", function()
    local handler = [[function(ev) mine(ev.key):emit(VERSION, ev.data, { replaces = "x", within = 2 }) end]]
    start { handler = handler }
    local tab = connect()
    feed():send("note", "1")
    reload { version = "two" }
    assert.same({}, tab:types())
    world:advance(2.1)
    assert.same({ "one" }, tab:types())
  end)

  it("keeps the last upstream id and the leases of a link that is waiting", function()
    start()
    connect()
    feed():send("note", "1", { id = "seven" })
    feed():cut()
    reload { version = "two" }
    world:advance(3)
    assert.equal("seven", feed().last_event_id)
    assert.equal(1, feed().leases)
  end)

  it("lets a waiting handler end in the rules that it began in", function()
    start { handler = [[function(ev)
      if ev.data == "slow" then http.get "http://app.test/slow" end
      mine(ev.key):emit(VERSION, ev.data)
    end]] }
    local held = world:hold "GET /slow"
    local tab = connect()
    feed():send("note", "slow")
    feed():send("note", "next")
    reload { version = "two" }
    assert.equal(2, world:counters().vms)
    assert.same({}, tab:types())
    held:answer { status = 200 }
    assert.same({ "one", "two" }, tab:types())
    assert.equal(1, world:counters().vms)
  end)

  it("lets a waiting route end in the rules that it began in", function()
    start()
    local held = world:hold "GET /slow"
    local tab = connect()
    local answer = world:request("POST", "/slow")
    reload { version = "two" }
    tab:close()
    tab = connect()
    held:answer { status = 200 }
    assert.equal("one", answer:result().json.version)
    assert.equal("one", tab:events()[2].data)
    assert.equal(1, world:counters().vms)
  end)

  it("gives up a filter's open question and asks the changed filter", function()
    start { filter = [[function() return http.get("http://app.test/may").status == 200 end]] }
    local held = world:hold "GET /may"
    local tab = connect()
    feed():send("note", "1")
    feed():send("note", "2")
    reload { version = "two", filter = "function(ev) return ev.data ~= '2' end" }
    feed():send("note", "3")
    assert.same({ "one", "two" }, tab:types())
    assert.equal("3", tab:events()[3].data)
    assert.equal(1, world:counters().vms)
    held:answer { status = 200 } -- nobody waits for it any more
    held:answer { status = 200 }
    assert.same({ "one", "two" }, tab:types())
  end)

  it("asks a filter's open question again where the filter is the same", function()
    local filter = [[function() return http.get("http://app.test/may").status == 200 end]]
    start { filter = filter }
    local held = world:hold "GET /may"
    local tab = connect()
    feed():send("note", "1")
    reload { version = "two", filter = filter }
    assert.same({ 2, 1 }, { held.count, world:counters().vms })
    tab:close()
    assert.equal(1, world:counters().vms)
  end)

  local deny_2 = "function(ev) return ev.data ~= '2' end"

  it("asks the changed filter about what waits for a slow tab", function()
    start()
    local tab = connect()
    tab:stall()
    for i = 1, 3 do feed():send("note", tostring(i)) end
    reload { version = "two", filter = deny_2 }
    feed():send("note", "4")
    tab:unstall()
    assert.same({ "one", "one", "two" }, tab:types())
    assert.equal("3", tab:events()[3].data)
  end)

  it("sends what waits for a slow tab, and held questions, where there is no filter any more", function()
    start { filter = [[function() return http.get("http://app.test/may").status == 200 end]] }
    world:hold "GET /may"
    local tab = connect()
    for i = 1, 2 do feed():send("note", tostring(i)) end
    reload {}
    assert.same({ "one", "one" }, tab:types())
    assert.equal(1, world:counters().vms)
  end)

  it("withholds what waits where the changed filter does not know, and tells when it knows", function()
    start()
    local tab = connect()
    tab:stall()
    feed():send("note", "1")
    reload { version = "two", filter = "function(ev) if ev.data == '1' then error 'lost' end return true end" }
    tab:unstall()
    assert.same({}, tab:types())
    feed():send("note", "2")
    assert.same({ "resync", "two" }, tab:types())
    assert.matches('"reason":"access"', tab:events()[2].data)
  end)

  it("tells of a trigger that is denied and had replaced another", function()
    local handler = [[function(ev) mine(ev.key):emit(VERSION, ev.data, { replaces = "x" }) end]]
    start { handler = handler }
    local tab = connect()
    tab:stall()
    feed():send("note", "1")
    feed():send("note", "2")
    reload { handler = handler, filter = deny_2 }
    tab:unstall()
    assert.same({ "resync" }, tab:types())
  end)

  it("does not take back a frame that is partly out", function()
    start()
    local tab = connect()
    tab:stall(10)
    feed():send("note", "2")
    feed():send("note", "2")
    reload { version = "two", filter = deny_2 }
    tab:unstall()
    assert.same({ "one" }, tab:types())
  end)

  it("replays, to who comes back, what the changed filter lets through", function()
    start()
    local tab = connect()
    tab:cut()
    for i = 1, 3 do feed():send("note", tostring(i)) end
    reload { version = "two", filter = deny_2 }
    tab = tab:reconnect()
    assert.is_true(tab.ready.resumed)
    assert.same({ "one", "one" }, tab:types())
  end)

  it("lets an arrival end in the rules that it began in, and go live in the new ones", function()
    start()
    local held = world:hold "GET /session"
    local tab = connect("ann", { slow = "1" })
    reload { version = "two" }
    assert.equal("waiting", tab.state)
    held:answer { status = 200 }
    assert.is_true(tab:is_open())
    assert.equal(1, world:counters().vms)
    feed():send("note", "1")
    assert.same({ "two" }, tab:types())
  end)

  it("asks an arrival for the keys of upstreams that are new", function()
    start()
    local held = world:hold "GET /session"
    local tab = connect("ann", { slow = "1" })
    reload { upstreams = { "more", "feed" } }
    held:answer { status = 200 }
    assert.same({ 1, 1 }, { feed().leases, feed("more").leases })
    tab:close()
    assert.same({ 0, 0 }, { feed().leases, feed("more").leases })
  end)

  it("refuses an arrival whose stream, or topic, is gone, as don't know", function()
    start { streams = { "events", "other" } }
    local held = world:hold "GET /session"
    local one = connect("ann", { slow = "1", path = "/other" })
    local two = connect("bob", { slow = "1" })
    reload { topics = {}, joins = "nil" }
    held:answer { status = 200 }
    held:answer { status = 200 }
    assert.same({ 503, 503 }, { one.status, two.status })
    assert.equal(0, world:counters().streams)
  end)

  it("ends the subscribers of a stream that is gone, by the rules that they knew", function()
    start { streams = { "events", "other" } }
    local stays, goes = connect(), connect("ann", { path = "/other" })
    reload { version = "two" }
    assert.is_true(stays:is_open())
    assert.same({ false, "reload" }, { goes:is_open(), goes.why })
    assert.equal("one reload", stored "left")
    assert.equal(1, feed().leases)
    assert.equal(1, world:counters().vms)
  end)

  it("brings who must go what was emitted before", function()
    start { streams = { "events", "other" } }
    local tabs = {}
    for i = 1, 600 do tabs[i] = connect("ann", { path = "/other" }) end
    world.core:wire_bytes(feed().wire, "event: note\ndata: 1\n\n")
    while world:counters().emitted == 0 do world.core:round() end -- and not one more
    rules.with_file(rules.head(text {}), function(path) assert.is_true((world.core:reload(path))) end)
    world:run()
    for _, tab in ipairs(tabs) do assert.same({ "one", "reload" }, { tab:types()[1], tab.why }) end
  end)

  it("takes subscribers out of a topic that is gone, and tells them", function()
    start()
    local tab = connect()
    reload { topics = {}, joins = "nil" }
    assert.same({ "resync" }, tab:types())
    assert.equal('{"reason":"reload","missed":null,"topics":["room:1"]}', tab:events()[2].data)
    assert.equal(1, world:counters().topics)
    feed():send("note", "1")
    assert.same({ "resync", "one" }, tab:types())
  end)

  it("closes the link of an upstream that is gone", function()
    start { upstreams = { "feed", "more" } }
    local tab = connect()
    local wire = feed().wire
    assert.is_true(feed("more").open)
    reload { upstreams = { "feed" } }
    assert.is_false(feed("more").open)
    assert.is_nil(feed("more").state)
    assert.same({ wire, 1 }, { feed().wire, feed().leases })
    tab:close()
    assert.equal(0, feed().leases)
  end)

  it("opens one for an upstream that the stream names anew", function()
    start()
    local tab = connect()
    local wire = feed().wire
    reload { upstreams = { "more", "feed" } }
    assert.is_true(feed("more").open)
    assert.same({ "resync" }, tab:types()) -- of what the upstream sent before, it knows nothing
    assert.same({ 1, wire, 1 }, { feed("more").leases, feed().wire, feed().leases })
  end)

  it("asks anew for a key that was being asked for", function()
    start { upstreams = {} }
    local key = [[function(sub) http.get "http://app.test/key" return sub.user end]]
    connect()
    local held = world:hold "GET /key"
    reload { key = key }
    assert.equal(1, #held.waiting)
    reload { version = "two", key = key }
    assert.equal(1, world:counters().vms)
    for _ = 1, #held.waiting do held:answer { status = 200 } end
    assert.equal(1, feed().leases)
  end)

  it("ends a subscriber whose new key is not known", function()
    start { upstreams = {} }
    local tab = connect()
    reload { key = "function() error 'who knows' end" }
    assert.same({ false, "reload" }, { tab:is_open(), tab.why })
    assert.matches("who knows", (world:log()))
  end)

  it("keeps a beat's due time", function()
    start { period = 10 }
    world:advance(8)
    reload { version = "two", period = 10 }
    world:advance(1.9)
    assert.is_nil(stored "ticks")
    world:advance(0.2)
    assert.same({ 1, "two" }, { stored "ticks", stored "ticked" })
    world:advance(10)
    assert.equal(2, stored "ticks")
    reload {}
    world:advance(30)
    assert.equal(2, stored "ticks")
    reload { period = 3 }
    world:advance(3.1)
    assert.equal(3, stored "ticks")
  end)

  it("brings a beat forward whose new period is over sooner", function()
    start { period = 3600 }
    reload { period = 2 }
    world:advance(2.1)
    assert.equal(1, stored "ticks")
  end)

  it("lets a beat that runs end, and skips it meanwhile", function()
    local tick = [[http.get "http://app.test/tick"]]
    start { period = 5, tick = tick }
    local held = world:hold "GET /tick"
    world:advance(5.1)
    reload { version = "two", period = 5, tick = tick }
    world:advance(4)
    assert.equal(1, stored "ticks")
    held:answer { status = 200 }
    assert.equal("one", stored "ticked")
    world:advance(1)
    assert.equal(2, stored "ticks")
    reload {}
    assert.equal(2, world:counters().vms)
    held:answer { status = 200 }
    assert.equal("two", stored "ticked")
    assert.equal(1, world:counters().vms)
  end)

  it("applies the stream's new heartbeat to open streams", function()
    start { heartbeat = 3600 }
    local tab = connect()
    connect "bob"
    local cursor = tab.last_id
    world:upstream("feed", "bob"):send("note", "1")
    world:advance(6)
    assert.equal(cursor, tab.last_id)
    reload { heartbeat = 5 }
    world:advance(6)
    assert.not_equal(cursor, tab.last_id)
  end)

  it("applies the stream's new lifetime to open streams, from then on; an old one goes on", function()
    start()
    local tab = connect()
    world:advance(100)
    reload { lifetime = 50 }
    world:advance(30)
    reload { version = "two", lifetime = 50 }
    assert.is_true(tab:is_open())
    world:advance(20.1)
    assert.same({ false, "lifetime" }, { tab:is_open(), tab.why })
    tab = connect()
    reload()
    world:advance(100)
    assert.is_true(tab:is_open())
  end)

  it("gives a link its new grace period", function()
    start { grace = 100 }
    local tab = connect()
    reload { grace = 2 }
    tab:close()
    world:advance(2.1)
    assert.same({}, world:links())
  end)

  it("opens a link anew whose request is another one, from its last id on, and tells", function()
    start()
    local tab = connect()
    local wire = feed().wire
    feed():send("note", "1", { id = 7 })
    reload { version = "two" }
    assert.equal(wire, feed().wire)
    reload { version = "two", path = "/v2/events" }
    assert.matches("/v2/events$", feed().url)
    assert.same({ "7", 1, true }, { feed().last_event_id, feed().leases, feed().open })
    assert.same({ "one", "resync" }, tab:types())
    feed():send("note", "2")
    assert.same({ "one", "resync", "two" }, tab:types())
    assert.is_nil((world:log():find("link lost", 1, true)))
  end)

  it("opens the links whose request is another one at the gate's rate", function()
    start({}, { link_rate = 5 })
    for i = 1, 20 do connect("user" .. i) end
    world:advance(10)
    local function renewed(path)
      local count = 0
      for _, wire in ipairs(world.core:wires()) do
        if wire.open and wire.url:find(path, 1, true) then count = count + 1 end
      end
      return count
    end
    reload { path = "/v2/events" }
    world:advance(1)
    local some = renewed "/v2/"
    assert.is_true(some > 3 and some < 9, tostring(some))
    reload { path = "/v3/events" } -- those that wait for the gate, too
    world:advance(6)
    assert.equal(20, renewed "/v3/")
    assert.equal(20, #world:links())
  end)

  it("leaves a link as it is where the rules fail to say what it is opened with", function()
    start()
    local tab = connect()
    local wire = feed().wire
    reload { request = "error 'who knows'" }
    assert.same({ wire, true }, { feed().wire, tab:is_open() })
    feed():send("note", "1")
    assert.same({ "one" }, tab:types())
  end)

  it("asks again for a link that was being asked for, or waited for the gate or an answer", function()
    local slow = [[http.get "http://app.test/ticket"]]
    start { request = slow }
    local ticket = world:hold "GET /ticket"
    connect()
    reload { path = "/v2/events" }
    ticket:answer { status = 200 }
    assert.matches("/v2/events$", feed().url)
    assert.equal(1, world:counters().vms)
    local answer = world:hold "GET /v2/events"
    feed():cut()
    world:advance(3)
    assert.equal("connecting", feed().state)
    reload { path = "/v3/events" }
    assert.matches("/v3/events$", feed().url)
    assert.is_true(feed().open)
    assert.equal(1, #world.core:wires())
    assert.equal(0, answer.count)
  end)

  it("forgets to ask about a link that closes meanwhile, or is asked for by itself", function()
    start { grace = 1 }
    local tab = connect()
    local ticket = world:hold "GET /ticket"
    local slow = { request = [[http.get "http://app.test/ticket"]], grace = 1 }
    reload(slow)
    assert.equal(1, #ticket.waiting)
    tab:cut()
    world:advance(2)
    assert.same({}, world:links())
    connect()
    ticket:answer { status = 200 }
    while #ticket.waiting > 0 do ticket:answer { status = 200 } end
    assert.is_true(feed().open)
    reload(slow)
    feed():cut()
    world:advance(3)
    while #ticket.waiting > 0 do ticket:answer { status = 200 } end
    assert.is_true(feed().open)
  end)

  it("ends what the rules of before began and have not done within the deadline", function()
    start { handler = [[function(ev) require "sluice.time".sleep(9) mine(ev.key):emit(VERSION, ev.data) end]] }
    local tab = connect()
    for i = 1, 20 do feed():send("note", tostring(i)) end
    reload { version = "two", upstreams = {} }
    world:advance(29)
    assert.equal(2, world:counters().vms)
    world:advance(2)
    assert.equal(1, world:counters().vms)
    assert.same({ "one", "one", "one", "resync" }, { unpack(tab:types(), 1, 4) })
    assert.same({ 1, true }, { world:counters().vms, tab:is_open() })
    assert.matches("earlier rules shut", (world:log()))
  end)

  it("leaves the running rules in place where the new ones are wrong", function()
    start()
    local tab = connect()
    for _, broken in ipairs {
      "this is no Lua", "app:stream('events', {})", "error 'at load'", text {} .. "\napp:topic('user:{user}', {})",
    } do
      local good, said = pcall(rules.reload, world, broken)
      assert.is_false(good)
      assert.matches("rules.lua:%d+: ", said)
    end
    assert.equal(1, world:counters().vms)
    feed():send("note", "1")
    assert.same({ "one" }, tab:types())
  end)

  -- Rules of another app, which has one stream at /NAME and one topic.
  local function other(name)
    local rules_of = [[local sluice = require "sluice"
      local app = sluice.app "NAME"
      local all = app:topic("all", { history = { size = 4, ttl = 300 } })
      app:stream("s", { path = "/NAME", topics = function() return all() end })
      app:route("say", "POST /NAME", { run = function(req) all():emit("said", req.body) return 204 end })
      app:route("hang", "POST /NAME/hang", { run = function()
        require "sluice.http".get "http://app.test/slow" return 204 end })]]
    return (rules_of:gsub("NAME", name))
  end

  -- All apps from now on.
  local function reload_all(...)
    local texts = { ... }
    local function with(index, paths)
      if index > #texts then return world:reload(paths) end
      return rules.with_file(texts[index], function(path)
        paths[index] = path
        return with(index + 1, paths)
      end)
    end
    return with(1, {})
  end

  it("adds an app and removes one: its streams end, others notice nothing", function()
    start()
    local tab = connect()
    reload_all(rules.head(text {}), other "other")
    local far = world:connect "/other"
    world:request("POST", "/other", { body = "1" })
    assert.same({ "said" }, far:types())
    reload_all(rules.head(text { version = "two" }))
    assert.same({ false, "reload", true }, { far:is_open(), far.why, tab:is_open() })
    assert.is_true(far.retry >= 1000)
    assert.equal(404, world:request("POST", "/other").status)
    world:advance(0.1)
    assert.equal(1, world:counters().vms)
    feed():send("note", "1")
    assert.same({ "two" }, tab:types())
  end)

  it("lets what runs in a removed app end, and frees it then", function()
    start()
    reload_all(rules.head(text {}), other "other")
    local held = world:hold "GET /slow"
    local answer = world:request("POST", "/other/hang")
    reload_all(rules.head(text {}))
    world:advance(1)
    assert.equal(2, world:counters().vms)
    held:answer { status = 200 }
    assert.equal(204, answer:result().status)
    world:advance(0.1)
    assert.equal(1, world:counters().vms)
  end)

  it("does not take a cursor of an app that was gone for one of the app that is back", function()
    start()
    reload_all(rules.head(text {}), other "other")
    local far = world:connect "/other"
    world:request("POST", "/other", { body = "1" })
    far:cut()
    world:request("POST", "/other", { body = "2" })
    reload_all(rules.head(text {}))
    world:advance(0.1)
    reload_all(rules.head(text {}), other "other")
    local again = far:reconnect()
    assert.is_false(again.ready.resumed)
    assert.same({ "resync" }, again:types())
  end)

  it("takes a path from one app to another", function()
    start()
    reload_all(rules.head(text {}), other "first")
    world:connect "/first"
    reload_all(rules.head(text {}), (other("second"):gsub("/second", "/first")))
    local tab = world:connect "/first"
    world:request("POST", "/first", { body = "1" })
    assert.same({ "said" }, tab:types())
    assert.has_error(function() reload_all(other "one", (other("two"):gsub("/two", "/one"))) end)
    world:request("POST", "/first", { body = "2" })
    assert.same({ "said", "said" }, tab:types())
  end)

  it("leaves nothing behind, however often", function()
    start { period = 1 }
    local tab = connect()
    local blocks, last, atoms = math.huge, math.huge, nil
    for i = 101, 300 do
      reload { version = "v" .. i, period = 1, upstreams = i % 2 == 0 and { "feed" } or { "feed", "more" } }
      world:advance(0.1)
      local now = world:counters()
      assert.equal(1, now.vms)
      -- What collectors have not come to yet goes up and down: the least of thirty is what is held.
      if i > 110 and i <= 140 then blocks = math.min(blocks, now.blocks) end
      if i > 270 then last = math.min(last, now.blocks) end
      if i == 110 then atoms = now.atoms end
    end
    -- a leak of one block a reload would make 160 of them, and collectors do 55
    assert.is_true(last < blocks + 80, ("%d blocks, then %d"):format(blocks, last))
    assert.equal(atoms, world:counters().atoms)
    tab:clear()
    feed():send("note", "1")
    assert.same({ "v300" }, tab:types())
    assert.equal(20, stored "ticks")
  end)
end)
