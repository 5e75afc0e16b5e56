-- What nodes find out about Redis by themselves.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local swarms       = require "spec.support.swarm"
local wait         = require "spec.support.wait"

local function begin(nodes)
  local redis = redis_server.start()
  local cluster = clusters.start { nodes = nodes, rules = "spec/fixtures/cluster.lua", servers = { redis },
    env = { SWARM_KEY = swarms.key } }
  cluster:wait_ready()
  return cluster, redis
end

local function request(number)
  return { method = "POST", path = "/publish", json = { type = "say", data = { room = "a", number = number } },
           headers = { authorization = "Bearer " .. swarms.key, ["idempotency-key"] = "a-" .. number } }
end

local function publish(node, number) return http.request(node.address, request(number)) end

local function open(node, id)
  local tab = sse.open(node.address, { path = "/rooms?user=ann&topic=room:a", last_event_id = id })
  tab:next "ready"
  return tab
end

local function ready(node) return http.get(node.admin, "/ready").status end

describe("a cluster's node", function()
  it("is not ready while what is published does not come back to it, and mends that", function()
    local cluster = begin(2)
    local deaf, other = cluster.nodes[1], cluster.nodes[2]
    local tab = open(deaf)
    assert.equal(200, publish(other, 1).status)
    assert.equal("room:a 1", tab:next("say").data)

    deaf.wire:deafen "SUBSCRIBE"
    assert.equal(200, publish(other, 2).status)
    wait.wait_until(function() return ready(deaf) == 503 end, 10, "the deaf node to say so")
    assert.equal(200, ready(other))
    deaf.wire:deafen(nil)
    wait.wait_until(function() return ready(deaf) == 200 end, 15, "the node to be ready again")
    assert.equal("room:a 2", tab:next("say", 5).data)
    assert.equal(200, publish(other, 3).status)
    assert.equal("room:a 3", tab:next("say", 5).data)
    assert.equal(0, tab:count "resync")
  end)

  it("tells everybody where what Redis had is gone, and goes on", function()
    local cluster, redis = begin(2)
    local here, there = open(cluster.nodes[1]), open(cluster.nodes[2])
    assert.equal(200, publish(cluster.nodes[1], 1).status)
    here:next "say"
    local id = there:next("say").id

    redis:flush()
    wait.wait_until(function() return publish(cluster.nodes[1], 2).status == 200 end, 10, "a publish to be taken")
    for _, tab in ipairs { here, there } do
      assert.equal("epoch", tab:next("resync", 5).data:match '"reason":"(%a+)"')
    end
    wait.wait_until(function() return publish(cluster.nodes[2], 3).status == 200 end, 10, "a publish to be taken")
    for _, tab in ipairs { here, there } do
      wait.wait_until(function() return tab:next("say", 5).data == "room:a 3" end)
    end
    local back = sse.open(cluster.nodes[2].address, { path = "/rooms?user=ann&topic=room:a", last_event_id = id })
    assert.matches('"resumed":false', back:next("ready", 5).data, 1, true)
    assert.equal("epoch", back:next("resync", 5).data:match '"reason":"(%a+)"')
  end)

  it("shows what was published while it was cut off, in order and once", function()
    local cluster = begin(2)
    local tab = open(cluster.nodes[1])
    clusters.cut(cluster.nodes[1])
    for number = 1, 20 do assert.equal(200, publish(cluster.nodes[2], number).status) end
    wait.wait_until(function() return ready(cluster.nodes[1]) == 503 end, 10, "the node to say that it is cut off")
    clusters.mend(cluster.nodes[1])
    local data = tab:wait_count("say", 20, 15)
    for number = 1, 20 do assert.equal("room:a " .. number, data[number]) end
    assert.same({ 20, 0 }, { tab:count "say", tab:count "resync" })
  end)

  it("resumes what another one has begun", function()
    local cluster = begin(3)
    local tab = open(cluster.nodes[1])
    publish(cluster.nodes[2], 1)
    local id = tab:next("say").id
    for number = 2, 9 do assert.equal(200, publish(cluster.nodes[number % 3 + 1], number).status) end
    for _, node in ipairs(cluster.nodes) do
      local back = open(node, id)
      local data = back:wait_count("say", 8, 5)
      for number = 2, 9 do assert.equal("room:a " .. number, data[number - 1]) end
    end
  end)

  it("publishes once what is sent to all of them at once with one key", function()
    local cluster = begin(3)
    local tab = open(cluster.nodes[1])
    for round = 1, 10 do
      local asked = {}
      for i = 1, 9 do
        asked[i] = http.connect(cluster.nodes[i % 3 + 1].address)
        asked[i]:start(request(round))
      end
      for i = 1, 9 do assert.equal(200, asked[i]:answer().status) end
    end
    publish(cluster.nodes[1], 11)
    wait.wait_until(function() return tab:data("say")[tab:count "say"] == "room:a 11" end, 5)
    assert.equal(11, tab:count "say")
  end)
end)
