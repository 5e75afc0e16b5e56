-- Upstream links under faults: each user's events come over one link, of one node at a time, whatever becomes of nodes,
-- links and Redis; and reach all of the user's tabs, on all nodes, or these are told. The upstream keeps all that it
-- sent and goes on from the last id, so nothing may be lost that a link can still ask for.

local fault_lists = require "spec.support.faults"
local ordeal      = require "spec.support.ordeal"

local OCCUR = { "events", "links", "links_resumed", "links_cut", "resync_upstream", "resumed", "said", "acknowledged" }

describe("three nodes' links under faults", function()
  for seed in ordeal.seeds() do it("of seed " .. seed .. " bring every event, over one link at a time", function()
    local world = ordeal.begin { seed = seed, nodes = 3, redis = 1, path = "/mine", linked = true }
    ordeal.run(world, { kinds = fault_lists.of_a_cluster, publish = 5000, feed = 3000, cut_links = 10, occur = OCCUR })
  end) end
end)
