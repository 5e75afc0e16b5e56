-- A master that dies under a cluster: sentinels promote its replica, and the nodes go there by themselves. What the
-- replica has may be older than what was told, so it is a new epoch: all are told to re-read, once.

local e2e   = require "spec.support.e2e"
local http  = require "spec.support.http"
local proc  = require "spec.support.proc"
local redis = require "spec.support.redis"
local sse   = require "spec.support.sse"
local tcp   = require "spec.support.tcp"
local wait  = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "followed"
local room = app:topic("room", { history = { size = 100, ttl = 60 } })
app:stream("events", { path = "/events", refusal = "retry", topics = function() return room() end })
app:route("say", "POST /say", { run = function(req) room():emit("said", req.body) return 204 end })
]]

local SENTINEL = [[
port %s
bind 127.0.0.1
dir %s
sentinel monitor main 127.0.0.1 %s 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 2000
]]

local function port_of(address) return address:match ":(%d+)$" end

local function start_sentinel(master)
  local folder, port = e2e.folder(), tostring(tcp.free_port())
  local conf = e2e.write(folder .. "/sentinel.conf", SENTINEL:format(port, folder, port_of(master.address)))
  proc.spawn({ "redis-server", conf, "--sentinel" }, { env = { LD_PRELOAD = false } })
  wait.wait_until(function() return (pcall(tcp.connect, "127.0.0.1:" .. port)) end, 5, "the sentinel to listen")
  return port
end

local function knows_a_replica(port)
  local command = { "redis-cli", "-p", port, "SENTINEL", "REPLICAS", "main" }
  local process = proc.spawn(command, { env = { LD_PRELOAD = false } })
  process:wait(5)
  return process:output():find "slave%-priority" ~= nil
end

describe("nodes that find Redis by sentinels", function()
  it("go to the replica that was promoted, with one resync, and go on there", function()
    local master = redis.start()
    local replica = redis.start { args = { "--replicaof", "127.0.0.1", port_of(master.address) } }
    local sentinel = start_sentinel(master)
    wait.wait_until(function() return knows_a_replica(sentinel) end, 20, "the sentinel to know the replica")
    local nodes = {}
    for i = 1, 2 do
      nodes[i] = e2e.server { rules = RULES, errors = "route=say",
                              conf = ('redis = "redis-sentinel://127.0.0.1:%s#main"'):format(sentinel) }
    end
    local function wait_ready(timeout)
      for _, node in ipairs(nodes) do
        wait.wait_until(function() return node:ready().ready end, timeout, "a node to be ready")
      end
    end
    wait_ready(10)
    local function say(text) return http.post(nodes[1].address, "/say", { body = text }).status end
    local tab = sse.open(nodes[2].address)
    tab:next("ready", 5)
    assert.equal(204, say "before")
    assert.equal("before", tab:next("said", 5).data)
    local before = tab.last_id()

    master:kill()
    wait.wait_until(function() return replica:cli "ROLE":match "^master" end, 30, "the replica to be promoted")
    wait_ready(15)
    assert.matches('"reason":"epoch"', tab:next("resync", 10).data)
    wait.wait_until(function() return say "after" == 204 end, 5, "the new master to take a publish")
    assert.equal("after", tab:next("said", 5).data)
    assert.equal(1, tab:count "resync")

    local back = sse.open(nodes[1].address, { last_event_id = before })
    assert.matches('"reason":"epoch"', back:next("resync", 5).data)
    tab:close()
    assert.equal(204, say "missed")
    local again = sse.open(nodes[1].address, { last_event_id = tab.last_id() })
    assert.equal("missed", again:next("said", 5).data)
    assert.equal(0, again:count "resync")
  end)
end)
