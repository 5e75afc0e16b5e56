-- Nodes under faults: thousands of subscribers come back, to other nodes, with their last event id, publishers send
-- again, to other nodes, what was not acknowledged, links bring each user's events, which the app's server is told to
-- be read, and meanwhile nodes and Redis are killed, stopped and cut off. Each subscriber has everything that was
-- acknowledged, and everything that its upstream can still be asked for, in order and once, or was told to re-read; no
-- user has two links; what is told as read never falls; and in the end each node knows who is there.
--
-- An ordeal is not among `make e2e`: `make cluster-short` is those of three nodes on one Redis, `make cluster` all.

local fault_lists = require "spec.support.faults"
local ordeal      = require "spec.support.ordeal"

local OCCUR = { "acknowledged", "unanswered", "publishes_lost", "cuts", "refused", "ends", "resumed", "resync_epoch",
                "said", "events", "links", "links_resumed", "links_cut", "resync_upstream", "reads", "reads_refused" }

local function undergo(options, kinds)
  options.path, options.linked, options.users = "/whole", true, 200
  local world = ordeal.begin(options)
  ordeal.rest(world)
  ordeal.run(world, { kinds = kinds, publish = 3000, feed = 4000, cut_links = 10, occur = OCCUR })
end

describe("three nodes on one Redis under faults", function()
  for seed in ordeal.seeds() do it("of seed " .. seed .. " show all, or tell", function()
    undergo({ seed = seed, nodes = 3, redis = 1 }, fault_lists.of_a_cluster)
  end) end
end)

-- A publish may concern two servers, of which one refuses it.
describe("two nodes on three Redis servers under faults", function()
  for seed in ordeal.seeds "CLUSTER_SPREAD_SEEDS" do it("of seed " .. seed .. " show all, or tell", function()
    undergo({ seed = seed, nodes = 2, redis = 3 }, fault_lists.of_servers)
  end) end
end)
