-- Rules and a real Redis server: commands, messages of channels, and what happens when it goes.

local e2e    = require "spec.support.e2e"
local http   = require "spec.support.http"
local json   = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse    = require "spec.support.sse"
local wait   = require "spec.support.wait"

local RULES = [[
local sluice, redis, time = require "sluice", require "sluice.redis", require "sluice.time"
local app  = sluice.app "demo"
local URL  = sluice.env "RULES_REDIS"
if URL == "the config's" then URL = nil end
local db   = redis.connect(URL)
local room = app:topic("room:{id}", { subscribe = false, history = { size = 256, ttl = 60 } })
app:stream("s", { path = "/s", topics = function() return room "a" end })

local bus = app:redis("bus", { url = URL, pattern = "room:*", topics = room })
bus:on("message", function(ev)
  if ev.data == "raise" then error "as told" end
  room(ev.channel:match ":(.*)$"):emit("came", ev.data)
end)

-- { command, words... } as JSON: its answer, or { code, sentence }.
app:route("run", "POST /run", { run = function(req)
  local value, code, sentence = db:try(unpack(req:json()))
  return { json = { value = value, code = code, sentence = sentence } }
end })
app:route("sum", "POST /sum", { run = function(req)
  return { json = { sum = db:eval("local sum = 0 for _, key in ipairs(KEYS) do sum = sum + redis.call('GET', key) end"
    .. " return sum + ARGV[1]", { "a", "b" }, { 100 }) } }
end })
app:route("count", "POST /count", { run = function()
  local count = db:incr "count"
  return { json = count }
end })
]]

describe("rules on a Redis server", function()
  local redis, server

  local function start(url, errors, conf)
    server = e2e.server { rules = RULES, env = { RULES_REDIS = url or redis.url }, errors = errors, conf = conf }
    server:wait_log('msg="source listens" source=bus channel=room:*', 15) -- one of several waits a lease
  end

  before_each(function() redis = redis_server.start() end)

  local function run(...)
    return json.decode(http.post(server.address, "/run", { json = { ... } }).body)
  end

  -- The value, once there is a connection.
  local function value(...)
    local words, answer = { ... }, nil
    wait.wait_until(function()
      answer = run(unpack(words))
      return answer.code ~= "away" and answer.code ~= "lost"
    end, 10, "an answer of Redis")
    return answer.value
  end

  local function publish(channel, text) return redis:cli("PUBLISH", channel, text) end

  it("sends commands and has their answers, of every kind", function()
    start()
    assert.equal("OK", value("SET", "text", "a\0b\r\nc"))
    assert.equal("a\0b\r\nc", value("GET", "text"))
    assert.is_nil(run("GET", "none").value)
    assert.equal(7, value("INCRBY", "n", 7))
    assert.equal(2, value("RPUSH", "list", "x", "y"))
    assert.same({ "x", "y" }, value("LRANGE", "list", 0, -1))
    assert.same({ "7", false, "a\0b\r\nc" }, value("MGET", "n", "none", "text"))
    assert.same({ {}, { 1, false, { err = "ERR no" } } }, value("EVAL",
      "return { {}, { 1, false, redis.error_reply('ERR no') } }", 0))
    local wrong = run("LPUSH", "text", "x")
    assert.same({ "error", "WRONGTYPE" }, { wrong.code, wrong.sentence:match "^%u+" })
    assert.equal("error", run("NOSUCH").code)
    local big = ("x"):rep(1000000)
    assert.equal("OK", value("SET", "big", big))
    assert.equal(big, value("GET", "big"))
  end)

  it("runs scripts, also when the server has lost them", function()
    start(redis.socket_url)
    redis:cli("MSET", "a", "1", "b", "2")
    local function sum() return json.decode(http.post(server.address, "/sum", {}).body).sum end
    value "PING"
    assert.equal(103, sum())
    redis:cli("SCRIPT", "FLUSH")
    assert.equal(103, sum())
  end)

  it("is the config's where the rules name none", function()
    start("the config's", nil, ("redis = %q"):format(redis.url))
    assert.equal("OK", value("SET", "text", "a"))
    assert.equal("a", redis:cli("GET", "text"))
    assert.equal("1", publish("room:a", "x"))
  end)

  it("does what many ask at once, each once", function()
    start()
    value "PING"
    local seen = {}
    for _ = 1, 50 do seen[#seen + 1] = tonumber(http.post(server.address, "/count", {}).body) end
    table.sort(seen)
    assert.same({ 1, 50, 50 }, { seen[1], seen[50], #seen })
    assert.equal("50", redis:cli("GET", "count"))
  end)

  it("hears its channels in order, and those alone", function()
    start()
    local tab = sse.open(server.address, { path = "/s" })
    tab:next "ready"
    local expected = {}
    for i = 1, 200 do
      assert.equal("1", publish("room:a", tostring(i)))
      expected[i] = tostring(i)
    end
    assert.equal("0", publish("hall:a", "elsewhere"))
    assert.same(expected, tab:wait_count("came", 200))
    assert.equal(0, tab:count "resync")
  end)

  it("goes on with a server that was gone, and tells who may have missed something", function()
    start()
    local tab = sse.open(server.address, { path = "/s" })
    tab:next "ready"
    publish("room:a", "before")
    assert.equal("before", tab:next("came").data)
    redis:kill()
    server:wait_log 'msg="source lost" source=bus'
    assert.truthy(({ away = true, lost = true })[run("GET", "n").code])
    redis:start()
    assert.equal("upstream", json.decode(tab:next("resync", 15).data).reason)
    publish("room:a", "after")
    assert.equal("after", tab:next("came").data)
    assert.equal(1, value("INCR", "n"))
    assert.equal(1, tab:count "resync")
    assert.equal(2, server:metric "sluice_redis_gaps_total")
    assert.equal(1, server:metric "sluice_redis_sources_lost_total")
  end)

  it("tells of a connection that was only cut, too", function()
    start()
    local tab = sse.open(server.address, { path = "/s" })
    tab:next "ready"
    redis:kill_clients "pubsub"
    assert.equal("upstream", json.decode(tab:next("resync", 15).data).reason)
    publish("room:a", "after")
    assert.equal("after", tab:next("came").data)
  end)

  it("tells of a handler that failed, and counts it", function()
    start(nil, "rule failed")
    local tab = sse.open(server.address, { path = "/s" })
    tab:next "ready"
    publish("room:a", "raise")
    assert.equal("rule", json.decode(tab:next("resync").data).reason)
    assert.equal(1, server:metric "sluice_redis_messages_failed_total")
    assert.equal(1, server:metric 'sluice_events_total{source="redis"}')
  end)

  it("has one connection for commands and one for the source, over reloads too", function()
    start()
    value "PING"
    local function connections() return { redis:clients "pubsub", redis:clients() } end
    assert.same({ 1, 4 }, connections())                -- each opened server is two, one of them for channels
    local id = value("CLIENT", "ID")
    local tab = sse.open(server.address, { path = "/s" })
    tab:next "ready"
    for generation = 2, 4 do
      server.process:signal "HUP"
      wait.wait_until(function() return server:ready().generation == generation end, 10, "the reload")
    end
    publish("room:a", "after")
    assert.equal("after", tab:next("came").data)
    assert.equal(id, value("CLIENT", "ID"))
    assert.same({ 1, 4 }, connections())
    assert.equal(0, tab:count "resync")
  end)

  it("waits for a server that is not there yet", function()
    redis:stop()
    server = e2e.server { rules = RULES, env = { RULES_REDIS = redis.url } }
    local tab = sse.open(server.address, { path = "/s" })
    tab:next "ready"
    assert.equal("away", run("GET", "n").code)
    redis:start()
    assert.equal("upstream", json.decode(tab:next("resync", 15).data).reason)
    assert.equal(1, value("INCR", "n"))
  end)
end)
