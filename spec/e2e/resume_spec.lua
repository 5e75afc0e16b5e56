-- Clients that others wrote lose their connection and come back: nothing lost, nothing doubled, or told.

local curl        = require "spec.support.curl"
local e2e         = require "spec.support.e2e"
local eventsource = require "spec.support.eventsource"
local http        = require "spec.support.http"
local proxy       = require "spec.support.proxy"
local wait        = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "resume"
local all = app:topic("all", { history = { size = 1000, ttl = 60 } })
app:stream("events", { path = "/events", topics = function() return all() end, retry = 0.1 })
app:route("say", "POST /say", { run = function(req)
  all():emit("tick", req.body)
  return 204
end })
]]

local function say(server, from, to)
  for i = from, to do assert.equal(204, http.post(server.address, "/say", { body = tostring(i) }).status) end
end

local function numbers(from, to)
  local list = {}
  for i = from, to do list[#list + 1] = tostring(i) end
  return list
end

describe("curl", function()
  for how, options in pairs {
    ["the Last-Event-ID header"] = function(id) return { headers = { ["Last-Event-ID"] = id } } end,
    ["?last_event_id="]          = function(id) return { path = "/events?last_event_id=" .. id } end,
    ["both, the header wins"]    = function(id)
      return { path = "/events?last_event_id=nonsense", headers = { ["Last-Event-ID"] = id } }
    end,
  } do
    it("goes on where it was killed, by " .. how, function()
      local server = e2e.server { rules = RULES }
      local first  = curl.open(server.address)
      first:next "ready"
      say(server, 1, 3)
      assert.same(numbers(1, 3), first:wait_count("tick", 3))
      first.kill()
      say(server, 4, 20)
      local second = curl.open(server.address, options(first.last_id()))
      assert.matches('"resumed":true,"missed":17,', second:next("ready").data)
      say(server, 21, 22)
      assert.same(numbers(4, 22), second:wait_count("tick", 19))
      assert.equal(0, second:count "resync")
    end)
  end

  it("is told to re-read after a restart of the server", function()
    local server = e2e.server { rules = RULES }
    local first  = curl.open(server.address)
    first:next "ready"
    say(server, 1, 1)
    first:next "tick"
    server:stop()
    server:start(true)
    local second = curl.open(server.address, { headers = { ["Last-Event-ID"] = first.last_id() } })
    assert.matches('"resumed":false', second:next("ready").data)
    assert.matches('"reason":"epoch"', second:next("resync").data)
    say(server, 2, 2)
    assert.equal("2", second:next("tick").data)
  end)
end)

describe("Node's EventSource", function()
  local TYPES = { "ready", "tick", "resync" }

  it("comes back by itself after each cut, without loss or double", function()
    local server = e2e.server { rules = RULES }
    local tunnel = proxy.open(server.address)
    local source = eventsource.open(tunnel.address, TYPES)
    source:wait_count("ready", 1)
    for round = 1, 3 do
      say(server, round * 20 - 19, round * 20 - 10)
      source:wait_count("tick", round * 20 - 10)
      tunnel.refusing = true
      tunnel:cut()
      say(server, round * 20 - 9, round * 20)
      tunnel.refusing = false
      local ready = source:wait_count("ready", round + 1)
      assert.matches('"resumed":true,"missed":10,', ready[round + 1])
      source:wait_count("tick", round * 20)
    end
    assert.same(numbers(1, 60), source:wait_count("tick", 60))
    assert.same({}, source:wait_count("resync", 0))
    assert.is_true(source:state_count "lost" >= 3)
    assert.equal(0, source:state_count "closed")
  end)

  it("loses nothing when it is cut amid a flood", function()
    local server = e2e.server { rules = RULES }
    local tunnel = proxy.open(server.address)
    local source = eventsource.open(tunnel.address, TYPES)
    source:wait_count("ready", 1)
    for i = 1, 200 do
      say(server, i, i)
      if i % 40 == 0 then tunnel:cut() end
    end
    assert.same(numbers(1, 200), source:wait_count("tick", 200))
    assert.same({}, source:wait_count("resync", 0))
  end)

  it("is told to re-read after a restart of the server, and stays", function()
    local server = e2e.server { rules = RULES, conf = "drain_spread = 0.1" }
    local source = eventsource.open(server.address, TYPES)
    source:wait_count("ready", 1)
    say(server, 1, 1)
    source:wait_count("tick", 1)
    server:stop()
    server:start(true)
    local resync = source:wait_count("resync", 1)
    assert.matches('"reason":"epoch"', resync[1])
    say(server, 2, 2)
    assert.same(numbers(1, 2), source:wait_count("tick", 2))
    wait.pass(0.1)
    assert.equal(0, source:state_count "closed")
  end)
end)
