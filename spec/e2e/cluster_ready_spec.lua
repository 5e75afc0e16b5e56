-- What operators see of a node in a cluster: /ready, which a load balancer asks, and /metrics.

local clusters   = require "spec.support.cluster"
local e2e        = require "spec.support.e2e"
local http       = require "spec.support.http"
local prometheus = require "spec.support.prometheus"
local redis      = require "spec.support.redis"
local sse        = require "spec.support.sse"
local wait       = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "seen"
local room = app:topic("room:{n}", { history = { size = 10, ttl = 60 } })
app:stream("events", { path = "/events", topics = function(req) return room(req.query.n or "1") end })
app:route("say", "POST /say/{n}", { run = function(req, params) room(params.n):emit("said", req.body) return 204 end })
]]

local function ready(node)
  local answer = http.get(node.admin, "/ready")
  return answer.status == 200, answer.json()
end

local function wait_ready(node, wanted, timeout)
  wait.wait_until(function() return ready(node) == wanted end, timeout, "ready to be " .. tostring(wanted))
end

local function scrape(node) return prometheus.parse(http.get(node.admin, "/metrics").body) end

describe("/ready of a node in a cluster", function()
  it("is 503 until its Redis server is here, and says why not", function()
    local server = redis.start()
    server:stop()
    local cluster = clusters.start { nodes = 1, rules = RULES, servers = { server } }
    local node = cluster.nodes[1]
    local is, said = ready(node)
    assert.same({ false, "cut off", false }, { is, said.mode, said.ready })
    assert.equal(0, said.subscribers)
    local one = said.redis.servers[1]
    assert.equal("redis://" .. node.wire.address, one.server)
    assert.is_false(one.here)
    assert.equal(require("cjson").null, one.beat_ms)
    wait.wait_until(function()
      local _, now = ready(node)
      return type(now.redis.servers[1].why) == "string"
    end, 5, "a reason")
    server:start()
    wait_ready(node, true, 15)
    is, said = ready(node)
    one = said.redis.servers[1]
    assert.same({ true, "serving", true }, { is, said.mode, one.here })
    assert.is_true(one.beat_ms < 4000 * wait.patience)
    assert.equal(require("cjson").null, one.why)
    assert.matches("^%x+$", said.redis.node)
  end)

  it("turns 503 within ten seconds where its channels are silently dead, and comes back by itself", function()
    local cluster = clusters.start { nodes = 2, rules = RULES, servers = { redis.start() } }
    cluster:wait_ready()
    local deaf, other = cluster.nodes[1], cluster.nodes[2]
    deaf.wire:deafen "SUBSCRIBE" -- the connection for commands goes on
    local began = wait.now()
    wait_ready(deaf, false, 10)
    assert.is_true(wait.now() - began < 10 * wait.patience)
    assert.is_true((ready(other)), "the other node has nothing to do with it")
    deaf.wire:deafen(nil)
    wait_ready(deaf, true, 20)
    local tab = sse.open(deaf.address)
    tab:next("ready", 5)
    assert.equal(204, http.post(other.address, "/say/1", { body = "hi" }).status)
    assert.equal("hi", tab:next("said", 5).data)
    assert.is_true(scrape(deaf)[("sluice_redis_away_total{server=%q}"):format("redis://" .. deaf.wire.address)] >= 1)
  end)
end)

describe("a node whose Redis has no memory left", function()
  it("is cut off and says why, and is back without a resync when there is some", function()
    local server = redis.start()
    -- Both are its operator's to know: what it cannot publish, and that it cannot enter when it is there anew.
    local cluster = clusters.start { nodes = 1, rules = RULES, servers = { server },
                                     errors = { "redis refuses publishes", "redis cannot be used" } }
    cluster:wait_ready()
    local node = cluster.nodes[1]
    local function names_maxmemory(said)
      local why = said.redis.servers[1].why
      return type(why) == "string" and why:find("maxmemory", 1, true)
    end
    local tab = sse.open(node.address)
    tab:next("ready", 5)
    assert.equal(204, http.post(node.address, "/say/1", { body = "before" }).status)
    tab:next("said", 5)
    server:cli("CONFIG", "SET", "maxmemory", "1mb")
    assert.equal(503, http.post(node.address, "/say/1", { body = "no room" }).status)
    wait.wait_until(function() return names_maxmemory(select(2, ready(node))) end, 3, "it to say why, while it is here")
    local lost = ("sluice_redis_connections_lost_total{server=%q}"):format("redis://" .. node.wire.address)
    wait.wait_until(function()
      local is, said = ready(node)
      assert.is_truthy(is or names_maxmemory(said), "unready without a reason: " .. require("cjson").encode(said.redis))
      return scrape(node)[lost] >= 5
    end, 20, "it to be tried again and again")
    assert.is_false((ready(node)))
    local _, lines = node:log():gsub("msg=\"redis ", "")
    assert.is_true(lines <= 4, "here, away, why not: each is told once, not at each try\n" .. node:log())
    server:cli("CONFIG", "SET", "maxmemory", "0")
    wait_ready(node, true, 20)
    assert.equal(204, http.post(node.address, "/say/1", { body = "after" }).status)
    assert.equal("after", tab:next("said", 5).data)
    assert.equal(0, tab:count "resync")
  end)
end)

describe("a node whose Redis evicts", function()
  local function warnings(node) return select(2, node:log():gsub("redis may forget", "")) end

  local function evicts(node)
    return scrape(node)[("sluice_redis_may_evict{server=%q}"):format("redis://" .. node.wire.address)]
  end

  it("says so, once a server, where there is a bound and a policy that drops", function()
    local server = redis.start { args = { "--maxmemory-policy", "allkeys-lru" } }
    local cluster = clusters.start { nodes = 1, rules = RULES, servers = { server } }
    cluster:wait_ready()
    local node = cluster.nodes[1]
    local entered = ("sluice_redis_entered_total{server=%q}"):format("redis://" .. node.wire.address)
    local function enter_anew()
      local before = scrape(node)[entered]
      server:kill_clients()
      wait.wait_until(function() return scrape(node)[entered] > before end, 10, "the node to be back")
    end
    assert.same({ 0, 0 }, { warnings(node), evicts(node) }, "it drops nothing without a bound")
    server:cli("CONFIG", "SET", "maxmemory", "100mb")
    enter_anew()
    enter_anew()
    assert.same({ 1, 1 }, { warnings(node), evicts(node) })
    assert.matches("allkeys%-lru", node:log():match "redis may forget[^\n]*")
    server:cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    enter_anew()
    assert.same({ 1, 0 }, { warnings(node), evicts(node) })
  end)

  -- What allkeys-lru does to one key, and to all but one.
  for what, keys in pairs {
    ["the newest place"]            = { "sluice:order" },
    ["that and the topics' places"] = { "sluice:order", "sluice:tops:*" },
  } do
    it("stands, and serves, without " .. what, function()
      local server = redis.start()
      local cluster = clusters.start { nodes = 2, rules = RULES, servers = { server } }
      cluster:wait_ready()
      local one, two = cluster.nodes[1], cluster.nodes[2]
      local function say(text) assert.equal(204, http.post(one.address, "/say/1", { body = text }).status) end
      say "before"
      for _, pattern in ipairs(keys) do
        for key in server:cli("KEYS", pattern):gmatch "%S+" do server:cli("DEL", key) end
      end
      local tab = sse.open(two.address) -- the topic is loaded there
      tab:next("ready", 5)
      say "after"
      assert.equal("after", tab:next("said", 5).data)
    end)
  end
end)

describe("the metrics of a node", function()
  it("say of each Redis server how it stands, and what went over the bus", function()
    local server = redis.start()
    local cluster = clusters.start { nodes = 2, rules = RULES, servers = { server } }
    cluster:wait_ready()
    local one, two = cluster.nodes[1], cluster.nodes[2]
    local tab = sse.open(two.address)
    tab:next("ready", 5)
    for number = 1, 3 do http.post(one.address, "/say/1", { body = tostring(number) }) end
    for _ = 1, 3 do tab:next("said", 5) end
    local series, others = scrape(one), scrape(two)
    local function of(name)
      return series[("sluice_redis_%s{server=%q}"):format(name, "redis://" .. one.wire.address)]
    end
    assert.same({ 1, 1, 1, 0, 1, 0 },
      { of "up", of "here", of "entered_total", of "away_total", of "epochs_total", of "timeouts_total" })
    assert.is_true(of "beat_age_seconds" < 4 * wait.patience)
    assert.is_true(of "commands_total" >= 3)
    assert.same({ 3, 0, 0, 0 }, { series.sluice_bus_published_total, series.sluice_bus_refused_total,
      series.sluice_bus_received_total, series.sluice_bus_topics })
    assert.same({ 0, 3, 1, 1 }, { others.sluice_bus_published_total, others.sluice_bus_received_total,
      others.sluice_bus_topics, others.sluice_bus_loads_total })
    assert.same({ 0, 0 }, { series.redis_publish_errors, series.sluice_claims })
  end)

  it("count the triggers that Redis did not take, by the name that others use, too", function()
    local server = redis.start()
    local cluster = clusters.start { nodes = 1, rules = RULES, servers = { server }, errors = "route=say" }
    cluster:wait_ready()
    local node = cluster.nodes[1]
    server:kill()
    wait_ready(node, false, 10)
    local answer = http.post(node.address, "/say/1", { body = "lost" })
    assert.equal(503, answer.status)
    local series = scrape(node)
    assert.same({ 1, 1, 0 }, { series.redis_publish_errors, series.sluice_bus_refused_total,
      series.sluice_triggers_lost_total })
    local here = ("{server=%q}"):format("redis://" .. node.wire.address)
    assert.same({ 0, 0, 1 }, { series["sluice_redis_up" .. here], series["sluice_redis_here" .. here],
      series["sluice_redis_away_total" .. here] })
  end)

  it("say nothing of Redis where there is none", function()
    local node = e2e.server { rules = RULES }
    local text = http.get(node.admin, "/metrics").body
    assert.is_nil(text:find("\nsluice_redis_up", 1, true))
    assert.is_nil(text:find("\nsluice_bus_", 1, true))
    assert.equal(require("cjson").null, node:ready().redis)
  end)
end)
