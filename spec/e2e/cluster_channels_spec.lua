-- What a node listens to in Redis: the channels of the topics that it has subscribers for, and for a while of those
-- that it had.

local clusters = require "spec.support.cluster"
local redis    = require "spec.support.redis"
local sse      = require "spec.support.sse"
local wait     = require "spec.support.wait"

local TOPICS, EACH = 3000, 50

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "seen"
local room = app:topic "room:{n}"
app:stream("events", { path = "/events", topics = function(req)
  local list, first = {}, tonumber(req.query.first)
  for n = first, first + tonumber(req.query.count) - 1 do list[#list + 1] = room(tostring(n)) end
  return list
end })
]]

local server, node

local function serve()
  server = redis.start()
  local cluster = clusters.start { nodes = 1, rules = RULES, servers = { server } }
  cluster:wait_ready()
  node = cluster.nodes[1]
end

local function open(first, count)
  local tab = sse.open(node.address, { path = ("/events?first=%d&count=%d"):format(first, count) })
  tab:next("ready", 5)
  return tab
end

-- How many topics the server has a subscriber for.
local function listened()
  return select(2, server:cli("PUBSUB", "CHANNELS", "sluice:topic:*"):gsub("%S+", ""))
end

local function commands(name)
  return tonumber(server:cli("INFO", "commandstats"):match("cmdstat_" .. name .. ":calls=(%d+)") or 0)
end

local function wait_listened(count, timeout)
  wait.wait_until(function() return listened() == count end, timeout, count .. " topics to be listened to")
end

describe("the channels of a node", function()
  it("are subscribed in batches, those of a stream and, when a server is entered anew, all", function()
    serve()
    local before = commands "subscribe"
    for first = 1, TOPICS, EACH do open(first, EACH) end
    wait_listened(TOPICS, 10)
    assert.is_true(commands "subscribe" - before <= TOPICS / EACH, commands "subscribe" - before .. " commands")
    server:cli("CONFIG", "RESETSTAT")
    server:kill_clients()
    wait.wait_until(function() return commands "subscribe" > 0 end, 10, "the node to be back")
    wait_listened(TOPICS, 10)
    assert.is_true(commands "subscribe" <= 20, commands "subscribe" .. " commands")
  end)

  it("are kept for ten seconds after a topic's last subscriber, and are not subscribed again within them", function()
    serve()
    local tab = open(1, 1)
    wait_listened(1, 5)
    local before = commands "subscribe"
    tab:close()
    wait.pass(3)
    assert.equal(1, listened())
    tab = open(1, 1)
    wait.pass(9) -- behind the ten seconds of the first time
    assert.equal(1, listened())
    assert.same({ before, 0 }, { commands "subscribe", commands "unsubscribe" })
    tab:close()
    local closed_at = wait.now()
    wait_listened(0, 15)
    assert.is_true(wait.now() - closed_at > 8)
  end)
end)
