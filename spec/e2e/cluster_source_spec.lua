-- A foreign Redis source in a cluster: one node hears it for all, and another when that one is gone.

local clusters = require "spec.support.cluster"
local json     = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse      = require "spec.support.sse"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "demo"
local room = app:topic("room:{id}", { subscribe = false, history = { size = 256, ttl = 60 } })
app:stream("s", { path = "/s", topics = function() return room "a" end })
local bus = app:redis("bus", { url = sluice.env "FOREIGN", pattern = "room:*", topics = room })
bus:on("message", function(ev)
  if ev.data == "slow" then require "sluice.time".sleep(1) end
  room(ev.channel:match ":(.*)$"):emit("came", ev.data)
end)
]]

describe("a foreign Redis source in a cluster", function()
  local cluster, foreign

  before_each(function()
    foreign = redis_server.start()
    cluster = clusters.start { nodes = 2, rules = RULES, servers = { redis_server.start() },
      env = { FOREIGN = foreign.url } }
    cluster:wait_ready()
  end)

  local function holders()
    local list = {}
    for _, node in ipairs(cluster.nodes) do
      if not node.dead and node:log():find('msg="source listens"', 1, true) then list[#list + 1] = node end
    end
    return list
  end

  local function tab_of(node)
    local tab = sse.open(node.address, { path = "/s" })
    tab:next "ready"
    return tab
  end

  -- How many took it.
  local function publish(text) return foreign:cli("PUBLISH", "room:a", text) end

  it("is heard by one node, and everybody has each message once, in order", function()
    wait.wait_until(function() return #holders() == 1 end, 20, "one that holds it")
    local tabs, expected = { tab_of(cluster.nodes[1]), tab_of(cluster.nodes[2]) }, {}
    for i = 1, 50 do
      assert.equal("1", publish(i))
      expected[i] = tostring(i)
    end
    for _, tab in ipairs(tabs) do
      assert.same(expected, tab:wait_count("came", 50, 15))
      assert.equal(0, tab:count "resync")
    end
    assert.equal(1, #holders())
  end)

  it("that missed something has everybody told, on whatever node, and who comes back later", function()
    wait.wait_until(function() return #holders() == 1 end, 20, "one that holds it")
    local holder = holders()[1]
    local other  = cluster.nodes[holder.number % 2 + 1]
    local tab, away = tab_of(other), tab_of(other)
    publish "before"
    assert.equal("before", tab:next("came", 10).data)
    local last = away:next("came", 10).id
    away:close()
    foreign:kill_clients "pubsub"
    assert.equal("upstream", json.decode(tab:next("resync", 30).data).reason)
    tab:close()
    local back = sse.open(holder.address, { path = "/s", last_event_id = last })
    assert.equal("upstream", json.decode(back:next("resync", 10).data).reason)
  end)

  it("passes to another node when its own dies, which has its topics told", function()
    wait.wait_until(function() return #holders() == 1 end, 20, "one that holds it")
    local holder = holders()[1]
    local other  = cluster.nodes[holder.number % 2 + 1]
    local tab    = tab_of(other)
    publish "before"
    assert.equal("before", tab:next("came", 10).data)
    clusters.kill(holder)
    assert.equal("0", publish "unheard")
    assert.equal("upstream", json.decode(tab:next("resync", 30).data).reason)
    assert.equal("1", publish "after")
    assert.equal("after", tab:next("came", 10).data)
  end)

  it("is not spoken for by a node that was stopped, once another has it", function()
    wait.wait_until(function() return #holders() == 1 end, 20, "one that holds it")
    local holder = holders()[1]
    local tab    = tab_of(cluster.nodes[holder.number % 2 + 1])
    publish "before"
    assert.equal("before", tab:next("came", 10).data)
    holder.errors = "rule failed"
    publish "slow"
    wait.wait_until(function() return holder:metric 'sluice_events_total{source="redis"}' == 2 end, 5, "its handler")
    clusters.stop(holder)
    assert.equal("upstream", json.decode(tab:next("resync", 30).data).reason)
    clusters.continue(holder)
    holder:wait_log('msg="source not held"', 10)
    publish "after"
    assert.equal("after", tab:next("came", 10).data)
    wait.wait_until(function() return holder:metric "sluice_redis_messages_failed_total" == 1 end, 10, "its refusal")
    assert.same({ "before", "after" }, tab:data "came")
  end)

  it("is given up by a node that ends, at once", function()
    wait.wait_until(function() return #holders() == 1 end, 20, "one that holds it")
    local holder = holders()[1]
    local other  = cluster.nodes[holder.number % 2 + 1]
    local tab    = tab_of(other)
    holder:stop()
    holder.dead = true
    local from = wait.now()
    assert.equal("upstream", json.decode(tab:next("resync", 15).data).reason)
    assert.is_true(wait.now() - from < 5, "it took longer than a lease")
    publish "after"
    assert.equal("after", tab:next("came", 10).data)
  end)
end)
