-- sluice.time: what time it is, and waiting.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

describe("time", function()
  local world

  local function load(body)
    world = rules.route(body, 'local time = require "sluice.time"')
    return world:request("POST", "/run", {})
  end

  it("is the core's: seconds since 1970, and seconds that never jump", function()
    local answer = load [[ return { json = { time.now(), time.monotonic() } } ]]
    world:advance(1.25)
    local later = world:request("POST", "/run", {})
    assert.equal(1700000000, math.floor(answer.json[1]))
    for i = 1, 2 do assert.near(1.25, later.json[i] - answer.json[i], 0.0001) end
    seen.close(world)
  end)

  it("passes in a sleep, for the one who sleeps", function()
    local answer = load [[
      local before = time.monotonic()
      time.sleep(tonumber(req.query.s or 2.5))
      return 200, ("%.3f"):format(time.monotonic() - before)
    ]]
    local other = world:request("POST", "/run", { query = { s = 1 } })
    world:advance(0.999)
    assert.is_nil(other:result().status)
    world:advance(0.001)
    assert.equal("1.000", other:result().body)
    assert.is_nil(answer:result().status)
    world:advance(1.5)
    assert.equal("2.500", answer:result().body)
    seen.close(world)
  end)

  it("lets others go first in a sleep of nothing", function()
    local answer = load [[ time.sleep(0) return 204 ]]
    assert.equal(204, answer.status)
    seen.close(world)
  end)

  it("sleeps no longer than the deadline", function()
    local answer = load [[ time.sleep(60) return 204 ]]
    world:advance(9.9)
    assert.is_nil(answer:result().status)
    world:advance(0.2)
    assert.equal(500, answer:result().status)
    assert.truthy(world:log():find("not done after its deadline", 1, true))
    seen.close(world)
  end)

  for _, value in ipairs { "-1", "0/0", "1e9", "'soon'", "nil" } do
    it("does not sleep " .. value .. " seconds, and says why", function()
      assert.equal(500, load("time.sleep(" .. value .. ")").status)
      assert.truthy(world:log():find("expected seconds from 0 to 86400", 1, true))
      seen.close(world)
    end)
  end
end)
