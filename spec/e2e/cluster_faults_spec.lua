-- Nodes under faults: thousands of subscribers come back, to other nodes, with their last event id, publishers send
-- again, to other nodes, what was not acknowledged, and meanwhile nodes and Redis are killed, stopped and cut off. Each
-- subscriber has everything that was acknowledged, in order and once, or was told to re-read.

local fault_lists = require "spec.support.faults"
local ordeal      = require "spec.support.ordeal"

local OCCUR = { "acknowledged", "unanswered", "publishes_lost", "cuts", "refused", "ends", "resumed", "resync_epoch",
                "said" }

describe("three nodes on one Redis under faults", function()
  for seed in ordeal.seeds() do it("of seed " .. seed .. " show all that was acknowledged, or tell", function()
    local world = ordeal.begin { seed = seed, nodes = 3, redis = 1, path = "/rooms" }
    ordeal.run(world, { kinds = fault_lists.of_a_cluster, occur = OCCUR })
  end) end
end)
