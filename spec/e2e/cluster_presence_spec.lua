-- Who is there, on nodes that meet one fault after the other: within the time in which a node is found to be dead, and
-- the presence's grace, each node that runs says who has a stream on any of them, and nobody else.

local clusters = require "spec.support.cluster"
local ordeal   = require "spec.support.ordeal"
local wait     = require "spec.support.wait"

local agree = ordeal.agree

local function begin(nodes, redis)
  return ordeal.begin {
    path = "/present", rooms = 0, seed = 1, nodes = nodes, redis = redis, users = 60, streams = 120,
  }
end

describe("one node's presence", function()
  it("is right after each fault", function()
    local world = begin(1)
    local node = world.cluster.nodes[1]
    agree(world, "at first")
    world.swarm:open(40)
    agree(world, "when some left")
    clusters.stop(node)
    world.swarm:tell("open", 90)
    wait.pass(2)
    clusters.continue(node)
    agree(world, "when it woke")
    clusters.reload(node)
    world.swarm:tell("open", 50)
    agree(world, "when it was reloaded")
    clusters.kill(node)
    world.swarm:tell("open", 30)
    clusters.revive(node)
    agree(world, "when it was killed")
  end)
end)

describe("three nodes' presence", function()
  it("is right after each fault", function()
    local world = begin(3, 1)
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
