-- Watermarks under faults: each user's thread is open in tabs, and the app's server is told of every event that it is
-- read. What it is told never falls, is the newest in the end, and without faults is told once.

local ordeal = require "spec.support.ordeal"
local wait   = require "spec.support.wait"

local RULES = "spec/fixtures/cluster_watermark.lua"

local function all_read(world)
  wait.wait_until(function() return world.swarm:state().unread == 0 end, 15, "everything to be told as read")
  return world.swarm:check()
end

describe("one node's watermarks", function()
  it("are told once where nothing happens", function()
    local world = ordeal.begin { seed = 1, nodes = 1, path = "/chat", rules = RULES, linked = true, rooms = 0,
      users = 50, streams = 100 }
    world.swarm:tell("feed", 500)
    wait.wait_until(function() return world.swarm:state().events > 500 end, 20, "500 events")
    world.swarm:finish()
    local state = all_read(world)
    assert.equal(0, state.reads_again)
  end)

  for seed in ordeal.seeds() do it("of seed " .. seed .. " never fall, and are told in the end", function()
    local world = ordeal.begin { seed = seed, nodes = 1, path = "/chat", rules = RULES, linked = true, rooms = 0,
      users = 100, streams = 200, errors = "post of watermark read" }
    world.swarm:tell("refuse", 20)
    ordeal.run(world, { kinds = { "stop", "reload" }, feed = 1000, cut_links = 10,
      occur = { "events", "reads", "reads_refused", "links_resumed" } })
    all_read(world)
  end) end
end)
