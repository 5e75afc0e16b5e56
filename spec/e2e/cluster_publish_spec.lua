-- Publishing where nodes share a Redis: answers, cursors and ids are the cluster's, and what could not be published is
-- said so.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local json         = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local wait         = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local log    = require "sluice.log"
local time   = require "sluice.time"
local app = sluice.app "demo"
local room = app:topic("room:{id}", { subscribe = false, history = { size = 100, ttl = 60 } })
local gate = app:topic("gate:{id}", { subscribe = false, history = { size = 100, ttl = 60 } })
local near = app:topic("near", { subscribe = false, away = "local", retain = true, history = { size = 100, ttl = 60 } })
app:stream("s", { path = "/s", topics = function(req) return { room(req.query.id or "a"), gate "a" } end,
  connect = function(sub) gate("a"):emit("came", "x") end })
local input = app:ingest("in", { path = "/publish", authorize = sluice.bearer "the-key" })
input:on("say", function(ev) room("a"):emit("said", ev.data) return ev.data end)
input:on("slow", function(ev)
  log.info("slow begins")
  time.sleep(0.5)
  room("a"):emit("said", ev.data)
end)
local price = app:topic("price", { subscribe = false, retain = true, limit = { rate = 1 }, history = { size = 100 } })
app:stream("price", { path = "/price", topics = function() return price() end })
input:on("prices", function(ev) for i = 1, tonumber(ev.data) do price():emit("price", tostring(i)) end end)
app:stream("near", { path = "/near", topics = function(req) return { near(), room "a" } end })
input:on("near", function(ev) near():emit("near", ev.data) end)
input:on("both", function(ev)
  near():emit("near", ev.data)
  room("a"):emit("said", ev.data)
end)
input:on("raise", function() error "as told" end)
input:on("soon", function(ev) room("a"):emit("said", ev.data, { replaces = ev.data, within = 0.01 }) end)
input:on("forget", function(ev) for i = 1, tonumber(ev.data) do app:forget("room:" .. i) end end)
app:route("cursor", "GET /cursor", { run = function() return { body = app:cursor() } end })
app:route("say", "POST /say", { run = function(req)
  room("a"):emit("said", req.body)
  return 204
end })
]]

local ERRORS = "triggers were not published"

describe("publishing in a cluster", function()
  local redis, cluster, one, two

  local function start(options)
    options = options or {}
    redis = redis_server.start { appendonly = options.appendonly }
    cluster = clusters.start { nodes = 2, rules = options.rules or RULES, servers = { redis },
                               conf = "redis_timeout = 0.5\n", errors = options.errors or ERRORS }
    cluster:wait_ready()
    one, two = cluster.nodes[1], cluster.nodes[2]
  end

  local function publish(node, event, headers)
    local sent = { authorization = "Bearer the-key" }
    for name, value in pairs(headers or {}) do sent[name] = value end
    return http.post(node.address, "/publish", { json = event, headers = sent })
  end

  local function follow(node, options)
    local path = options and options.path or "/s"
    local stream = sse.open(node.address, { path = path, last_event_id = options and options.last_event_id })
    stream:next "ready"
    return stream
  end

  local function wait_away(node)
    wait.wait_until(function() return http.get(node.admin, "/ready").status == 503 end, 10, "Redis to be away")
  end

  local function refused(answer)
    assert.equal(503, answer.status)
    assert.equal("unavailable", answer.json().error.code)
    assert.equal("1", answer.headers["retry-after"])
    return answer.json().error.message
  end

  it("says that nothing was published while Redis is away, which is no failure of a rule", function()
    start()
    redis:stop()
    wait_away(one)
    assert.equal("Nothing of this was published: Redis is away; try again.",
                 refused(publish(one, { type = "say", data = "1", user = "ann" })))
    assert.equal("Nothing of this was published: Redis is away; try again.",
                 refused(http.post(one.address, "/say", { body = "1" })))
    local explained = http.get(one.admin, "/explain?topic=room:a").json().apps[1].triggers[2]
    assert.equal("unpublished", explained.state)
    assert.equal('in:on "say"', explained.cause.what)
    assert.equal("unpublished", explained.cause["end"])
    assert.equal("redis is away", explained.cause.error)
    assert.falsy(one:log():find("rule failed", 1, true))
    redis:start()
    cluster:wait_ready()
    local stream = follow(two)
    assert.equal(200, publish(one, { type = "say", data = "2" }).status)
    assert.equal("2", stream:next("said").data)
    assert.same({ "2" }, stream:data "said")
    explained = http.get(two.admin, "/explain?topic=room:a").json().apps[1].triggers[1]
    assert.same({ "placed", true }, { explained.state, explained.elsewhere })
    assert.falsy(http.get(one.admin, "/explain?topic=room:a").json().apps[1].triggers[1].elsewhere)
  end)

  it("says in the log once what goes on for as long as Redis is away", function()
    start { errors = { ERRORS, "the oldest is dropped" } }
    local stream = follow(one)
    redis:stop()
    wait_away(one)
    local function unpublished()
      local _, count = http.get(one.admin, "/explain?topic=room:a").body:gsub('"unpublished"', "")
      return count
    end
    for i = 1, 4 do
      local before = unpublished()
      assert.equal(200, publish(one, { type = "soon", data = tostring(i) }).status)
      wait.wait_until(function() return unpublished() > before end, 5, "what waited for its window")
    end
    assert.equal(200, publish(one, { type = "forget", data = "1010" }).status)
    local _, failed = one:log():gsub("triggers were not published", "")
    local _, dropped = one:log():gsub("the oldest is dropped", "")
    assert.same({ 1, 1 }, { failed, dropped })
    redis:start()
    cluster:wait_ready()
    assert.truthy(stream:next("resync", 10))
  end)

  it("says that it is not known where Redis does not answer in time", function()
    start()
    local stream = follow(two)
    redis:pause()
    local answer = publish(one, { type = "say", data = "1" })
    redis:continue()
    assert.equal("Whether this was published is not known: Redis did not answer; ask again with the same id.",
                 refused(answer))
    cluster:wait_ready()
    assert.equal(200, publish(one, { type = "say", data = "2" }).status)
    stream:wait_count("said", 1, 10)
  end)

  it("tells the topics of what nobody can publish again", function()
    start()
    local stream = follow(one)
    stream:next "came"
    redis:pause()
    local other = sse.open(one.address, { path = "/s" })
    one:wait_log(ERRORS)
    redis:continue()
    local told = stream:next("resync", 15)
    assert.truthy(told.data:find('"reason":"redis"', 1, true))
    assert.truthy(told.data:find('"gate:a"', 1, true))
    other:close()
  end)

  it("answers with a cursor behind what was just published, good on every node", function()
    start()
    for i = 1, 5 do
      local answer = publish(one, { type = "say", data = tostring(i) }).json()
      assert.equal(1, answer.triggers)
      local stream = follow(two, { last_event_id = answer.cursor })
      publish(two, { type = "say", data = "after " .. i })
      assert.equal("after " .. i, stream:next("said").data)
      assert.same({ "after " .. i }, stream:data "said")
      stream:close()
    end
  end)

  it("gives pages a cursor that misses nothing, on whichever node they come with it", function()
    start()
    for i = 1, 5 do
      local cursor = http.get(one.address, "/cursor").body
      publish(two, { type = "say", data = tostring(i) })
      local stream = follow(i % 2 == 0 and one or two, { last_event_id = cursor })
      local said
      repeat said = stream:next("said").data until said == tostring(i) -- an older one is a cursor as good
      stream:close()
    end
  end)

  it("lets who comes with a newer cursor than a node has heard of wait for it", function()
    start()
    local reader = follow(two)
    clusters.cut(two)
    local cursor = publish(one, { type = "say", data = "1" }).json().cursor
    local stream = sse.open(two.address, { path = "/s", last_event_id = cursor, wait = false })
    clusters.mend(two)
    stream:next("ready", 10)
    assert.equal("1", reader:next("said").data)
    publish(one, { type = "say", data = "2" })
    assert.equal("2", stream:next("said").data)
    assert.same({ "2" }, stream:data "said")
  end)

  describe("with an id", function()
    local function same(a, b)
      assert.same({ 200, 200 }, { a.status, b.status })
      assert.is_true(b.json().duplicate)
      assert.same({ a.json().cursor, a.json().triggers, a.json().subscribers, a.json().result },
                  { b.json().cursor, b.json().triggers, b.json().subscribers, b.json().result })
    end

    it("is answered alike by every node, and done once", function()
      start()
      local stream = follow(one)
      local first = publish(one, { type = "say", data = "1", id = "a" })
      assert.is_nil(first.json().duplicate)
      assert.equal("1", first.json().result)
      same(first, publish(two, { type = "say", data = "1", id = "a" }))
      same(first, publish(one, { type = "say", data = "1", id = "a" }))
      assert.equal(409, publish(two, { type = "say", data = "other", id = "a" }).status)
      local tag = { ["x-session-tag"] = ("t"):rep(16) }
      assert.equal(409, publish(two, { type = "say", data = "1", id = "a" }, tag).status)
      publish(two, { type = "say", data = "2", id = "b" })
      stream:wait_count("said", 2, 5)
      assert.same({ "1", "2" }, stream:data "said")
      assert.equal(1, two:metric "sluice_publish_duplicates_total")
    end)

    it("is done once however often it is asked for at the same time", function()
      start()
      local stream, clients = follow(two), {}
      for i = 1, 200 do
        local node = i % 2 == 0 and one or two
        clients[i] = http.connect(node.address)
        clients[i]:start { method = "POST", path = "/publish", json = { type = "slow", data = "1" },
                           headers = { authorization = "Bearer the-key", ["idempotency-key"] = "once" } }
      end
      local first, duplicates = nil, 0
      for i = 1, 200 do
        local answer = clients[i]:answer(15)
        assert.equal(200, answer.status)
        first = first or answer.json().cursor
        assert.equal(first, answer.json().cursor)
        if answer.json().duplicate then duplicates = duplicates + 1 end
        clients[i]:close()
      end
      assert.equal(199, duplicates)
      publish(one, { type = "say", data = "2" })
      stream:wait_count("said", 2, 5)
      assert.same({ "1", "2" }, stream:data "said")
      local _, begun = (one:log() .. two:log()):gsub("slow begins", "")
      assert.equal(1, begun)
    end)

    it("may be done by another node when the one that began it is killed", function()
      start()
      local stream, client = follow(two), http.connect(one.address)
      client:start { method = "POST", path = "/publish", json = { type = "slow", data = "1", id = "a" },
                     headers = { authorization = "Bearer the-key" } }
      one:wait_log "slow begins"
      clusters.kill(one)
      redis:cli("DEL", "sluice:nodes") -- as if ten seconds had passed
      assert.equal(200, publish(two, { type = "slow", data = "1", id = "a" }).status)
      stream:wait_count("said", 1, 5)
      assert.same({ "1" }, stream:data "said")
    end)

    it("is free again where its handler failed", function()
      start { errors = "as told" }
      assert.equal(500, publish(one, { type = "raise", data = "1", id = "a" }).status)
      assert.equal(500, publish(two, { type = "raise", data = "1", id = "a" }).status)
      assert.equal(200, publish(one, { type = "say", data = "1", id = "a" }).status)
      wait.wait_until(function() return not redis:cli("KEYS", "*"):find "?" end, 5, "nothing to be reserved")
    end)

    it("is answered by what was published though nobody heard of it", function()
      start()
      local stream = follow(two)
      local event = { type = "slow", data = "1", id = "a" }
      local client = http.connect(one.address)
      client:start { method = "POST", path = "/publish", json = event, headers = { authorization = "Bearer the-key" } }
      one:wait_log "slow begins"
      redis:pause()
      assert.equal(503, client:answer(10).status)
      redis:continue()
      cluster:wait_ready()
      local again = publish(two, event)
      assert.equal(200, again.status)
      stream:wait_count("said", 1, 10)
      publish(one, { type = "say", data = "2" })
      stream:wait_count("said", 2, 10)
      assert.same({ "1", "2" }, stream:data "said")
    end)
  end)

  describe("to a topic that is local while Redis is away", function()
    it("reaches this node's subscribers at once, and tells all when Redis is back", function()
      start()
      local here, there = follow(one, { path = "/near" }), follow(two, { path = "/near" })
      local before = publish(one, { type = "near", data = "1" }).json()
      assert.equal("1", here:next("near").data)
      assert.equal("1", there:next("near").data)
      clusters.cut(one)
      wait_away(one)
      local answer = publish(one, { type = "near", data = "2" })
      assert.equal(200, answer.status)
      assert.same({ 1, 1 }, { answer.json().triggers, answer.json().subscribers })
      assert.equal(before.cursor, answer.json().cursor)
      assert.equal("2", here:next("near").data)
      refused(publish(one, { type = "both", data = "3" }))
      clusters.mend(one)
      for _, stream in ipairs { here, there } do
        local told = json.decode(stream:next("resync", 15).data)
        assert.same({ reason = "redis", topics = { "near" } },
                    { reason = told.reason, topics = told.topics })
      end
      cluster:wait_ready()
      assert.equal(200, publish(two, { type = "both", data = "4" }).status)
      assert.equal("4", here:next("near").data)
      assert.equal("4", there:next("near").data)
      assert.same({ "1", "2", "4" }, here:data "near")
      assert.same({ "1", "4" }, there:data "near")
      assert.same({ "4" }, here:data "said")
      assert.same({ 1, 1 }, { here:count "resync", there:count "resync" })
    end)

    it("is remembered by this node where it has an id", function()
      start()
      local here = follow(one, { path = "/near" })
      redis:stop()
      wait_away(one)
      local event = { type = "near", data = "1", id = "a" }
      assert.equal(200, publish(one, event).status)
      assert.is_true(publish(one, event).json().duplicate)
      refused(publish(one, { type = "both", data = "2", id = "b" }))
      assert.equal("1", here:next("near").data)
      redis:start()
      cluster:wait_ready()
      assert.equal(200, publish(one, { type = "both", data = "2", id = "b" }).status)
      assert.equal("2", here:next("near").data)
      assert.same({ "1", "2" }, here:data "near")
    end)
  end)

  it("keeps for newcomers on all nodes what a limit gave no place", function()
    start()
    local there = follow(two, { path = "/price" })
    assert.equal(200, publish(one, { type = "prices", data = "3" }).status)
    assert.equal("1", there:next("price").data)
    assert.equal("limited", json.decode(there:next("resync").data).reason)
    for _, node in ipairs { one, two, one, two } do
      assert.equal("3", follow(node, { path = "/price" }):next("price").data)
    end
    assert.same({ "1" }, there:data "price")
    clusters.cut(two)
    wait_away(two)
    assert.equal(200, publish(one, { type = "prices", data = "5" }).status)
    clusters.mend(two)
    assert.equal("limited", json.decode(there:next("resync", 15).data).reason)
    assert.equal("5", follow(two, { path = "/price" }):next("price").data)
  end)
end)
