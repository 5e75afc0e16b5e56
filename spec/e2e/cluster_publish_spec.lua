-- Publishing where nodes share a Redis: answers, cursors and ids are the cluster's, and what could not be published is
-- said so.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local wait         = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local time   = require "sluice.time"
local app = sluice.app "demo"
local room = app:topic("room:{id}", { subscribe = false, history = { size = 100, ttl = 60 } })
local gate = app:topic("gate:{id}", { subscribe = false, history = { size = 100, ttl = 60 } })
app:stream("s", { path = "/s", topics = function(req) return { room(req.query.id or "a"), gate "a" } end,
  connect = function(sub) gate("a"):emit("came", "x") end })
local input = app:ingest("in", { path = "/publish", authorize = sluice.bearer "the-key" })
input:on("say", function(ev) room("a"):emit("said", ev.data) return ev.data end)
input:on("slow", function(ev)
  time.sleep(0.5)
  room("a"):emit("said", ev.data)
end)
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
                               conf = 'redis_timeout = 0.5\n' .. (options.conf or ""), errors = ERRORS }
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
end)
