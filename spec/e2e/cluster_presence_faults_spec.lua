-- Who is there, on three nodes of one Redis that meet one fault after the other: within the time in which a node is found
-- to be dead, and the presence's grace, each node that runs says who has a stream on any of them, and nobody else.

local clusters = require "spec.support.cluster"
local http     = require "spec.support.http"
local ordeal   = require "spec.support.ordeal"
local wait     = require "spec.support.wait"

local FOUND = 10 + 1 + 4 -- seconds: CLUSTER_DEAD_MS, the grace, and what a busy machine takes

-- Nil: it does not know.
local function users_of(node)
  local answer = http.get(node.address, "/here")
  if answer.status ~= 200 then return nil end
  local users = answer.json()
  table.sort(users)
  return table.concat(users, " ")
end

-- Each node says what the swarm knows.
local function agree(world, when)
  local said, wanted
  local function agreed()
    wanted = world.swarm:users()
    table.sort(wanted)
    wanted = table.concat(wanted, " ")
    for _, node in ipairs(world.cluster.nodes) do
      if clusters.runs(node) then
        said = users_of(node)
        if said ~= wanted then return false end
      end
    end
    return true
  end
  local ok, why = pcall(wait.wait_until, agreed, FOUND)
  if not ok then error(("%s: there are %s, and a node says %s: %s"):format(when, wanted, said, why), 2) end
end

describe("three nodes' presence", function()
  it("is right after each fault", function()
    local world = ordeal.begin { path = "/present", rooms = 0, seed = 1, nodes = 3, redis = 1, users = 60,
                                 streams = 120, errors = "presence:list: " }
    local nodes = world.cluster.nodes
    agree(world, "at first")
    world.swarm:open(40)
    agree(world, "when some left")
    clusters.stop(nodes[1])
    world.swarm:tell("open", 90)
    wait.pass(12)
    clusters.continue(nodes[1])
    agree(world, "when one woke that had been taken for dead")
    clusters.cut(nodes[2])
    world.swarm:tell("open", 50)
    wait.pass(3)
    clusters.mend(nodes[2])
    agree(world, "when one had been cut off")
    world.servers[1]:flush()
    world.swarm:tell("open", 70)
    agree(world, "when Redis had forgotten everything")
    clusters.kill(nodes[3])
    world.swarm:tell("open", 30)
    agree(world, "when one was killed")
    clusters.revive(nodes[3])
    world.swarm:tell("open", 100)
    agree(world, "when it was back")
  end)
end)
