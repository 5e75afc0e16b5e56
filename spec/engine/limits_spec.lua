-- What one address, user or node may begin and have: streams, requests, what a rule counts itself. Each cause in both
-- ways of refusing; and what is full refuses streams only.

local rules = require "spec.support.rules"

local RULES = [[
  local who = sluice.identity(function(req)
    local user = req.headers["x-user"]
    if user == "broken" then error "nobody knows" end
    return user and { user = user }
  end)
  local news = app:topic "news"
  local function topics() return news() end
  app:stream("events",   { path = "/events", identity = who, topics = topics })
  app:stream("retrying", { path = "/retrying", identity = who, topics = topics, refusal = "retry" })
  app:stream("own",      { path = "/own", identity = who, topics = topics, per_user = 1, per_address = 2 })
  app:stream("slow",     { path = "/slow", identity = who, rate = { rate = 2, seconds = 60, per = "user" } })
  app:stream("paced",    { path = "/paced", rate = { rate = 2, seconds = 60, burst = 1 } })
  app:route("ping", "GET /ping", { run = function() return 204 end })
  app:route("few",  "GET /few",  { run = function() return 204 end, rate = { rate = 1, seconds = 10, burst = 2 } })
  app:route("mine", "GET /mine", { run = function() return 204 end, identity = who,
                                   rate = { rate = 1, per = "user" } })
  app:route("emit", "POST /emit", { run = function() news():emit "n" return 204 end })
  local function handle(ev) news():emit("n", ev.data) end
  app:ingest("plain", { path = "/publish", authorize = sluice.bearer { "a", "b" } }):on("n", handle)
  app:ingest("users", { path = "/users", authorize = who }):on("n", handle)
  app:ingest("hard",  { path = "/hard", authorize = who, rate = { rate = 2, seconds = 60, burst = 3 } }):on("n", handle)
  local sends = app:limit("sends", { rate = 2, seconds = 60 })
  app:route("send", "POST /send/{key}", { run = function(_, params)
    local good, wait = sends:take(params.key)
    return 200, tostring(good) .. " " .. tostring(wait)
  end })
]]

describe("the limits", function()
  local world

  after_each(function() world:close() end)

  local function start(options) world = rules.load(RULES, options) end

  local function options(user, address)
    return { headers = { ["x-user"] = user }, address = address or "192.0.2.1" }
  end

  local function connect(path, user, address) return world:connect(path, options(user, address)) end
  local function code(tab) return tab.body:match '"code":"([%w_]+)"' end

  --- What a stream is refused for, in both ways.
  local function refused(status, why, user, address)
    local tab = connect("/events", user, address)
    assert.same({ status, why }, { tab.status, code(tab) })
    assert.truthy(tonumber(tab.headers["retry-after"]) >= 1)
    local later = connect("/retrying", user, address)
    assert.equal(200, later.status)
    assert.is_false(later:is_open())
    assert.truthy(later.retry >= 2000)
    assert.same({}, later:types())
  end

  -- Whatever is full, what is not a stream goes on.
  local function goes_on(address)
    assert.equal(204, world:request("GET", "/ping", { address = address or "192.0.2.1" }).status)
    assert.equal(204, world:request("POST", "/emit", { address = address or "192.0.2.1" }).status)
  end

  describe("of streams at once", function()
    it("refuse what the node has no room for", function()
      start { streams = 1 }
      connect("/events", "ann")
      refused(503, "full", "bob", "192.0.2.2")
      goes_on()
    end)

    it("refuse what a user has too many of, over reloads", function()
      start { streams_per_user = 2 }
      local first = connect("/events", "ann")
      connect("/retrying", "ann")
      refused(503, "user_full", "ann")
      rules.reload(world, RULES)
      refused(503, "user_full", "ann")
      assert.equal(200, connect("/events", "bob").status)
      first:cut()
      assert.equal(200, connect("/events", "ann").status)
      goes_on()
    end)

    it("refuse what an address has too many of, over reloads", function()
      start { streams_per_address = 2 }
      local first = connect("/events", "ann")
      connect("/retrying", "bob")
      refused(503, "address_full", "cid")
      rules.reload(world, RULES)
      refused(503, "address_full", "cid")
      assert.equal(200, connect("/events", "ann", "192.0.2.2").status)
      first:cut()
      assert.equal(200, connect("/events", "cid").status)
      goes_on()
    end)

    it("count who was refused for something else no longer", function()
      start { streams_per_address = 1 }
      assert.equal(401, connect("/events").status)
      assert.equal(503, connect("/events", "broken").status)
      assert.equal(200, connect("/events", "ann").status)
    end)

    it("take the first half of an IPv6 address, and leave Unix sockets alone", function()
      start { streams_per_address = 1 }
      for _, address in ipairs { "2001:db8:0:7::1", "2001:db8:1:7::1", "2001:db8::1", "::1", "1::",
                                 "1:2:3:4:5:6:7:8" } do
        assert.equal(200, connect("/events", "ann", address).status, address)
      end
      for _, address in ipairs { "2001:db8:0:7:8:9:a:b", "2001:db8:1:7::", "2001:db8:0:0:ffff::", "::2:1", "1::2",
                                 "1:2:3:4::" } do
        assert.equal(503, connect("/events", "ann", address).status, address)
      end
      assert.equal(200, connect("/events", "ann", "unix").status)
      assert.equal(200, connect("/events", "ann", "unix").status)
    end)

    it("of a declaration count its streams only", function()
      start()
      connect("/events", "ann")
      local first = connect("/own", "ann")
      assert.equal("user_full", code(connect("/own", "ann")))
      rules.reload(world, RULES)
      assert.equal("user_full", code(connect("/own", "ann")))
      connect("/own", "bob")
      assert.equal("address_full", code(connect("/own", "cid")))
      assert.equal(200, connect("/own", "cid", "192.0.2.2").status)
      assert.equal(200, connect("/events", "cid").status)
      first:cut()
      assert.equal(200, connect("/own", "dan").status)
    end)
  end)

  describe("of rates", function()
    it("refuse what an address begins too fast; another one is not held up", function()
      start { connect_rate_per_address = 1, connect_burst_per_address = 2 }
      connect("/events", "ann")
      connect("/events", "ann")
      refused(429, "rate", "ann")
      rules.reload(world, RULES)
      refused(429, "rate", "bob")
      assert.equal(200, connect("/events", "ann", "192.0.2.2").status)
      assert.equal(200, connect("/events", "ann", "unix").status)
      goes_on()
      world:advance(1)
      assert.equal(200, connect("/events", "ann").status)
      assert.equal(429, connect("/events", "ann").status)
    end)

    it("refuse before anybody is asked who it is", function()
      start { connect_rate_per_address = 1, connect_burst_per_address = 1 }
      assert.equal(401, connect("/events").status)
      assert.equal(429, connect("/events", "broken").status)
      assert.is_nil(world:log():find("nobody knows", 1, true))
    end)

    it("refuse what begins too fast on the node", function()
      start { connect_rate = 1, connect_burst = 2 }
      connect("/events", "ann", "192.0.2.1")
      connect("/events", "bob", "192.0.2.2")
      refused(503, "busy", "cid", "192.0.2.3")
      goes_on()
      world:advance(1)
      assert.equal(200, connect("/events", "cid").status)
    end)

    it("of a stream hold for each user, and for each address", function()
      start()
      assert.equal(200, connect("/slow", "ann").status)
      assert.equal(200, connect("/slow", "ann", "192.0.2.9").status)
      local tab = connect("/slow", "ann", "192.0.2.8")
      assert.same({ 429, "rate" }, { tab.status, code(tab) })
      assert.truthy(tonumber(tab.headers["retry-after"]) >= 30)
      assert.equal(200, connect("/slow", "bob").status)
      assert.equal(200, connect("/paced").status)
      assert.equal(429, connect("/paced").status)
      assert.equal(200, connect("/paced", nil, "192.0.2.9").status)
      world:advance(30)
      assert.equal(200, connect("/slow", "ann").status)
      assert.equal(200, connect("/paced").status)
    end)

    it("of routes answer 429 and when to come again", function()
      start { route_rate_per_address = 10, route_burst_per_address = 3 }
      local function ask(path, user, address) return world:request("GET", path, options(user, address)) end
      assert.equal(204, ask("/few").status)
      assert.equal(204, ask("/few").status)
      local answer = ask "/few"
      assert.same({ 429, "rate", "10" }, { answer.status, answer.json.error.code, answer.headers["retry-after"] })
      assert.equal(204, ask("/ping").status)
      assert.same({ 429, "1" }, { ask("/ping").status, ask("/ping").headers["retry-after"] })
      assert.equal(204, ask("/ping", nil, "192.0.2.2").status)
      assert.equal(200, connect("/events", "ann").status)
      rules.reload(world, RULES)
      assert.equal(429, ask("/few").status)
      assert.equal(204, ask("/mine", "ann", "unix").status)
      assert.equal(429, ask("/mine", "ann", "192.0.2.7").status)
      assert.equal(204, ask("/mine", "bob", "unix").status)
      world:advance(10)
      assert.equal(204, ask("/few").status)
      assert.equal(204, ask("/mine", "ann").status)
    end)

    --- Publishes so many events as a list (nil: one that is none): status, code, Retry-After.
    local function publish(path, count, how)
      local events = count and {} or { type = "n" }
      for i = 1, count or 0 do events[i] = { type = "n" } end
      local answer = world:publish(path, events, how)
      return { answer.status, answer.json.error and answer.json.error.code, answer.headers["retry-after"] }
    end

    it("of what is published count the events, and hold for each publisher", function()
      start { publish_rate = 1, publish_burst = 5 }
      local tab = connect("/events", "ann")
      local function user(name) return { headers = { ["x-user"] = name } } end
      assert.same({ 200 }, publish("/publish", 3, { key = "a" }))
      assert.same({ 429, "rate", "1" }, publish("/publish", 3, { key = "b" })) -- all with a key are one
      assert.equal(3, #tab:types()) -- all of a list, or none
      assert.same({ 200 }, publish("/publish", 2, { key = "b" }))
      assert.same({ 429, "rate", "1" }, publish("/publish", nil, { key = "a" }))
      assert.same({ 401, "unauthorized" }, publish("/publish", nil, { key = "c" }))
      assert.same({ 200 }, publish("/users", 5, user "ann"))
      assert.same({ 429, "rate", "1" }, publish("/users", nil, user "ann"))
      assert.same({ 200 }, publish("/users", 5, user "bob"))
      assert.equal(15, #tab:types())
      rules.reload(world, RULES)
      assert.same({ 429, "rate", "3" }, publish("/publish", 3, { key = "a" }))
      world:advance(3)
      assert.same({ 200 }, publish("/publish", 3, { key = "a" }))
      goes_on()
    end)

    it("of an ingest hold as well as the config's, and longer lists are owed", function()
      start { publish_rate = 100, publish_burst = 100 }
      local ann, bob = { headers = { ["x-user"] = "ann" } }, { headers = { ["x-user"] = "bob" } }
      assert.same({ 200 }, publish("/hard", nil, ann))
      assert.same({ 429, "rate", "30" }, publish("/hard", 6, ann)) -- not before nothing is owed
      world:advance(30)
      assert.same({ 200 }, publish("/hard", 6, ann))
      assert.same({ 429, "rate", "120" }, publish("/hard", nil, ann))
      assert.same({ 200 }, publish("/hard", 3, bob))
      assert.same({ 200 }, publish("/users", 100, ann))
      assert.same({ 429, "rate", "1" }, publish("/users", nil, ann))
    end)

    it("of what is published count what is published again", function()
      start { publish_rate = 1, publish_burst = 2 }
      for _ = 1, 2 do assert.same({ 200 }, publish("/publish", nil, { key = "a", id = "x" })) end
      assert.same({ 429, "rate", "1" }, publish("/publish", nil, { key = "a", id = "x" }))
      world:advance(1)
      assert.is_true(world:publish("/publish", { type = "n" }, { key = "a", id = "x" }).json.duplicate)
    end)

    it("of a rule's own are its keys'", function()
      start()
      local function send(key) return world:request("POST", "/send/" .. key).body end
      assert.equal("true nil", send "ann")
      assert.equal("true nil", send "ann")
      assert.equal("false 30", send "ann")
      assert.equal("true nil", send "bob")
      world:advance(10)
      rules.reload(world, RULES)
      assert.equal("false 20", send "ann")
      world:advance(20)
      assert.equal("true nil", send "ann")
      assert.equal("false 30", send "ann")
    end)

    it("of other numbers begin anew", function()
      start()
      local function send() return world:request("POST", "/send/ann").body end
      send() send()
      assert.equal("false 30", send())
      rules.reload(world, (RULES:gsub("rate = 2, seconds = 60 }%)", "rate = 1, seconds = 5 })")))
      assert.equal("true nil", send())
      assert.equal("false 5", send())
    end)

    it("forget whom they saw longest ago, where they know too many", function()
      start { rate_keys = 2 }
      local function send(key) return world:request("POST", "/send/" .. key).body end
      for _ = 1, 2 do send "a" send "b" end
      assert.equal("false 30", send "a")
      assert.equal("true nil", send "c")
      assert.equal("true nil", send "b") -- it was forgotten for c
      assert.equal("true nil", send "a")
    end)
  end)

  it("of the head of a stream are the stream's, and it asks who it is", function()
    start { connect_rate_per_address = 1, connect_burst_per_address = 4, streams = 1 }
    local function head(user) return world:request("HEAD", "/events", options(user)) end
    assert.equal(401, head().status)
    assert.equal(503, head("broken").status)
    local good = head "ann"
    assert.same({ 200, "text/event-stream", "" }, { good.status, good.headers["content-type"], good.body })
    world:advance(3)
    connect("/events", "ann")
    assert.equal(503, head("ann").status)
    for _ = 1, 5 do head("ann") end
    world.tabs[1]:cut()
    world:advance(0.5)
    for _ = 1, 4 do head "ann" end
    assert.equal(429, head("ann").status)
  end)
end)
