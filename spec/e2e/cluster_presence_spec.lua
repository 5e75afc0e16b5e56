-- Who is there, after nodes were killed, stopped and reloaded: within the time in which a node is found to be dead, and
-- the presence's grace, each node says who has a stream, and nobody else.

local clusters = require "spec.support.cluster"
local http     = require "spec.support.http"
local ordeal   = require "spec.support.ordeal"
local wait     = require "spec.support.wait"

local FOUND = 10 + 1 + 4 -- seconds: CLUSTER_DEAD_MS, the grace, and what a busy machine takes

local function users_of(node)
  local answer = http.get(node.address, "/here")
  assert.equal(200, answer.status, answer.body)
  local users = answer.json()
  table.sort(users)
  return table.concat(users, " ")
end

-- Each node says what the swarm knows.
local function agree(world, when)
  local said, wanted = nil, nil
  local function agreed()
    wanted = world.swarm:users()
    table.sort(wanted)
    wanted = table.concat(wanted, " ")
    for _, node in ipairs(world.cluster.nodes) do
      said = clusters.runs(node) and users_of(node) or wanted
      if said ~= wanted then return false end
    end
    return true
  end
  if pcall(wait.wait_until, agreed, FOUND) then return end
  error(("%s: there are %s, and a node says %s"):format(when, wanted, said), 2)
end

local function begin(options)
  options.path, options.rooms = "/present", 0
  return ordeal.begin(options)
end

describe("one node's presence", function()
  it("is right after each fault", function()
    local world = begin { seed = 1, nodes = 1, users = 60, streams = 120 }
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
