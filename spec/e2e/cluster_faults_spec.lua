-- Nodes under faults: thousands of subscribers come back with their last event id, publishers send again what was not
-- acknowledged, and meanwhile nodes are killed, stopped and reloaded. Each subscriber has everything that was
-- acknowledged, in order and once, or was told to re-read.

local fault_lists = require "spec.support.faults"
local ordeal      = require "spec.support.ordeal"

local OCCUR = { "acknowledged", "publishes_lost", "cuts", "refused", "ends", "resumed",
                "resync_epoch", "said" }

describe("one node under faults", function()
  for seed in ordeal.seeds() do it("of seed " .. seed .. " shows all that was acknowledged, or tells", function()
    local world = ordeal.begin { seed = seed, nodes = 1, path = "/rooms" }
    ordeal.run(world, { kinds = fault_lists.of_a_node, occur = OCCUR })
  end) end
end)
