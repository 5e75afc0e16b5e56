-- Nodes under faults: thousands of subscribers come back with their last event id, publishers send again what was not
-- acknowledged, and meanwhile nodes are killed, stopped and reloaded. Each subscriber has everything that was
-- acknowledged, in order and once, or was told to re-read.
--
-- CLUSTER_SEEDS says which schedules, CLUSTER_SECONDS how long each, CLUSTER_STREAMS how many subscribers.

local clusters    = require "spec.support.cluster"
local fault_lists = require "spec.support.faults"
local swarms      = require "spec.support.swarm"
local wait        = require "spec.support.wait"

local SEEDS   = os.getenv "CLUSTER_SEEDS" or "1"
local SECONDS = tonumber(os.getenv "CLUSTER_SECONDS" or 20)
local STREAMS = tonumber(os.getenv "CLUSTER_STREAMS" or 1000)

local OCCUR = { "acknowledged", "duplicates", "unanswered", "publishes_lost", "cuts", "refused", "ends", "resumed",
                "resync_epoch", "said" }

local function play(seed, cluster, swarm, kinds)
  local faults = fault_lists.new { seed = seed, cluster = cluster, swarm = swarm, kinds = kinds }
  local ends = wait.now() + SECONDS
  swarm:explain_with(faults.log)
  swarm:tell("publish", 1500)
  swarm:tell("cuts", 30)
  while wait.now() < ends do
    faults:turn()
    wait.turn(10)
  end
  faults:calm()
  local state = swarm:finish()
  local told = {}
  for _, name in ipairs(swarms.words) do told[#told + 1] = ("%s %d"):format(name, state[name]) end
  print(("\nseed %d: %s; %s"):format(seed, faults:report(), table.concat(told, ", ")))
  for _, what in ipairs(OCCUR) do assert.is_true(state[what] > 0, what .. " never occurred") end
end

describe("one node under faults", function()
  for seed in SEEDS:gmatch "%d+" do it("of seed " .. seed .. " shows all that was acknowledged, or tells", function()
    local swarm = swarms.start { path = "/rooms", streams = STREAMS, rooms = 60, users = 300, seed = seed }
    local cluster = clusters.start { nodes = 1, rules = "spec/fixtures/cluster.lua", env = { SWARM_KEY = swarms.key } }
    swarm:node(cluster.nodes[1].address)
    swarm:open(STREAMS)
    play(tonumber(seed), cluster, swarm, fault_lists.of_a_node)
  end) end
end)
