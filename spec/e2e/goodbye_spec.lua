-- What an EventSource that others wrote makes of ends with a last event, of ends for good, and of the publisher's ids.

local e2e         = require "spec.support.e2e"
local eventsource = require "spec.support.eventsource"
local http        = require "spec.support.http"
local proxy       = require "spec.support.proxy"
local wait        = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "goodbye"
local all = app:topic("all", { id = "publisher", history = { size = 100, ttl = 60 } })
app:stream("events", { path = "/events", topics = function() return all() end, retry = 0.1,
  identity = function() return { user = "ann" } end })
app:stream("quiet", { path = "/quiet", topics = function() return all() end, retry = 0.1, ready = "header",
  heartbeat = { every = 0.1, event = "heartbeat", always = true } })
app:route("say", "POST /say/{id}", { run = function(req, params)
  all():emit("tick", req.body, { id = params.id })
  return 204
end })
app:route("end", "POST /end", { run = function(req)
  return 200, tostring(app:disconnect({ user = "ann" }, { event = "bye", data = "now", final = req.body == "final" }))
end })
]]

local function say(server, id) assert.equal(204, http.post(server.address, "/say/" .. id, { body = id }).status) end

describe("Node's EventSource", function()
  it("hears the last event and comes back; from an end for good it does not", function()
    local server = e2e.server { rules = RULES }
    local source = eventsource.open(server.address, { "ready", "bye" })
    source:wait_count("ready", 1)
    assert.equal("1", http.post(server.address, "/end", {}).body)
    assert.same({ "now" }, source:wait_count("bye", 1))
    source:wait_count("ready", 2)
    assert.equal(0, source:state_count "closed")
    assert.equal("1", http.post(server.address, "/end", { body = "final" }).body)
    assert.same({ "now", "now" }, source:wait_count("bye", 2))
    wait.wait_until(function() return source:state_count "closed" == 1 end, 10, "the source to stop")
    assert.equal(2, #source:wait_count("ready", 2))
  end)

  it("comes back by the publisher's ids, through named heartbeats, and is told of nothing else", function()
    local server = e2e.server { rules = RULES }
    local tunnel = proxy.open(server.address)
    local source = eventsource.open(tunnel.address, { "tick", "heartbeat", "ready", "resync" }, "/quiet")
    source:wait_count("heartbeat", 1)
    say(server, "one")
    say(server, "two")
    assert.same({ "one", "two" }, source:wait_count("tick", 2))
    local beats = #source:wait_count("heartbeat", 1)
    source:wait_count("heartbeat", beats + 2)
    tunnel.refusing = true
    tunnel:cut()
    say(server, "three")
    tunnel.refusing = false
    say(server, "four")
    assert.same({ "one", "two", "three", "four" }, source:wait_count("tick", 4))
    assert.equal(0, #source:wait_count("ready", 0) + #source:wait_count("resync", 0))
    for _, event in ipairs(source.events) do
      if event.type == "tick" then assert.equal(event.data, event.id) end
    end
  end)
end)
