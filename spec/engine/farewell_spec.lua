-- What a rule publishes before it ends a stream is the last thing that the stream carries.

local rig = require "sluice.rig"

describe("a rule that says goodbye", function()
  it("is heard before the stream ends", function()
    local world = rig.load "spec/fixtures/farewell.lua"
    local ann = world:connect("/events", { headers = { ["x-user"] = "ann" } })
    local bob = world:connect("/events", { headers = { ["x-user"] = "bob" } })
    assert.equal(204, ann:post("/leave", { headers = { ["x-user"] = "ann" }, tag = false }).status)
    assert.same({ "goodbye" }, ann:types())
    assert.is_false(ann:is_open())
    assert.equal("kicked", ann.why)
    assert.same({}, bob:types())
    assert.is_true(bob:is_open())
    world:close()
  end)
end)
