-- Heartbeats as events with a name: after silence, or whatever else flows.

local rig = require "sluice.rig"

describe("a heartbeat with a name", function()
  local world
  local ann = { ["x-user"] = "ann" }
  before_each(function() world = rig.load "spec/fixtures/frames.lua" end)
  after_each(function() world:close() end)

  local function emit(...)
    assert.equal(204, world:request("POST", "/emit", { headers = ann, json = { ... } }).status)
  end

  local function beats(tab)
    tab:read()
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "heartbeat" or event.type == "beat" then list[#list + 1] = event.data end
    end
    return list
  end

  local function advance(seconds, every)
    for _ = 1, seconds / every do
      world:advance(every)
      emit({ "plain", "t", "x" }, { "named", "t", "x" })
    end
  end

  it("comes every so often whatever else flows", function()
    local tab = world:connect("/beats?of=plain", { headers = ann })
    advance(89, 1)
    assert.same({ "{}", "{}" }, beats(tab))
    advance(1, 1)
    assert.same({ "{}", "{}", "{}" }, beats(tab))
    world:advance(60)
    assert.equal(5, #beats(tab))
  end)

  it("comes after silence only, where nothing else is said", function()
    local tab = world:connect("/silent?of=plain", { headers = ann })
    advance(90, 1)
    assert.same({}, beats(tab))
    world:advance(30)
    assert.same({ "still here" }, beats(tab))
  end)

  it("carries the cursor, but not where the publisher says the ids", function()
    local plain = world:connect("/beats?of=plain", { headers = ann })
    local named = world:connect("/beats?of=named", { headers = ann })
    emit({ "named", "t", "1", { id = "a" } }, { "plain", "t", "2" })
    world:advance(30)
    beats(plain)
    beats(named)
    assert.equal("a", named.last_id)
    assert.equal(world:triggers("plain")[1].cursor, plain.last_id)
    emit({ "named", "t", "3", { id = "b" } })
    world:advance(30)
    beats(plain)
    assert.equal(world:triggers("named")[2].cursor, plain.last_id)
  end)

  it("keeps its pace for a client that took nothing for a while, and does not make up for it", function()
    local tab = world:connect("/beats?of=plain", { headers = ann })
    world:advance(20)
    tab:stall()
    emit({ "plain", "t", "x" })
    world:advance(15)
    assert.equal(0, #beats(tab))
    tab:unstall()
    world:advance(2)
    assert.equal(1, #beats(tab))
    world:advance(22) -- 59 s since it connected
    assert.equal(1, #beats(tab))
    world:advance(2)
    assert.equal(2, #beats(tab))
  end)

  it("is another one after a reload that says so", function()
    local rules = require "spec.support.rules"
    local text = [[
      local sluice = require "sluice"
      local app = sluice.app "beats"
      local one = app:topic("one", {})
      app:stream("events", { path = "/events", topics = function() return one() end, heartbeat = %s })]]
    world:close()
    world = rules.load_file(text:format '{ every = 30, event = "heartbeat", data = "old" }')
    local tab = world:connect "/events"
    world:advance(31)
    assert.same({ "old" }, beats(tab))
    rules.reload_file(world, text:format '{ every = 10, event = "heartbeat", data = "new", always = true }')
    world:advance(9.9)
    assert.same({ "old" }, beats(tab))
    world:advance(0.2)
    assert.same({ "old", "new" }, beats(tab))
  end)
end)
