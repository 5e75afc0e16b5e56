-- An upstream link that nodes share: one at a time for each key, whoever has the tabs; moved when its node ends, dies
-- or is stopped, without an event lost or doubled.

local clusters     = require "spec.support.cluster"
local feeders      = require "spec.support.feeder"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local tcp          = require "spec.support.tcp"
local upstream     = require "spec.support.upstream"
local wait         = require "spec.support.wait"

local LEASE = 6 -- seconds that a claim is held without being renewed

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "links"
local URL  = sluice.env "UPSTREAM"

local session = sluice.identity(function(req)
  local user, token = req.headers["x-user"], req.headers["x-token"]
  return user and { user = user, data = { token = token or "good" } }
end)
local mine = app:topic("user:{user}", { history = { size = 100 } })
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  topic   = TOPIC,
  request = function(key, data)
    return { url = URL .. "/feed/" .. key, headers = { authorization = "Bearer " .. data.token } }
  end,
  grace = 2, backoff = { min = 0.05, max = 0.2 }, OPTIONS
})
app:stream("events", { path = "/events", identity = session, upstreams = { feed }, queue = { bytes = 8388608 },
                       topics = function(_, sub) return mine(sub.user) end })
feed:on("say", function(ev)
  if ev.data ~= "late" then return mine(ev.key):emit("say", ev.data) end
  mine(ev.key):emit("late", ev.data, { replaces = "", within = 3 })
end)
app:route("work", "POST /work", { run = function()
  require("sluice.log").info "at work"
  for _ = 1, 5e7 do end
  return 204
end })
feed:on("@unauthorized", function(ev) mine(ev.key):emit("unauthorized", ev.data) end)
]]

local redis, cluster, feeder

-- Starts the nodes; `options` are further ones of app:upstream, `topic` its topic.
local function serve(nodes, options, refuse, topic)
  redis, feeder = redis_server.start(), feeders.open(refuse)
  local words = { OPTIONS = options or 'resume = "trust"', TOPIC = topic or "mine" }
  cluster = clusters.start { nodes = nodes, rules = (RULES:gsub("%u%u%u%u%u+", words)),
    conf = "handler_slice = 60", servers = { redis }, env = { UPSTREAM = feeder.url } }
  cluster:wait_ready()
  -- As if the server had run for long: in the first seconds of an epoch nobody is granted what another may still hold.
  redis:cli("HSET", "sluice:epoch", "began", "1")
  return cluster.nodes
end

-- Stops a node in the midst of a turn. Who is stopped where it waits is woken with nothing that is readable, and its
-- timers come first; so it finds what came meanwhile and what is over meanwhile at once.
local function stop_at_work(node)
  tcp.connect(node.address):send "POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
  node:wait_log "at work"
  clusters.stop(node)
end

local function connect(node, user, token)
  local tab = sse.open(node.address, { headers = { ["x-user"] = user or "ann", ["x-token"] = token } })
  tab:next "ready"
  return tab
end

-- The data of all of a type that a tab has got.
local function got(tab, type)
  local data = {}
  for _, event in ipairs(tab.events) do
    if event.type == type then data[#data + 1] = event.data end
  end
  return data
end

local function wait_said(tab, count, timeout)
  wait.wait_until(function() return #got(tab, "say") >= count end, timeout or 5,
    ("%d events, having %s"):format(count, table.concat(got(tab, "say"), " ")))
end

-- Says numbers all the while until `done`; returns the last one.
local function say_until(last, done, timeout, what)
  return wait.meanwhile(last, function(number) feeder:say("ann", tostring(number)) end, done, timeout, what)
end

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = tostring(i) end
  return list
end

describe("a link in a cluster", function()
  it("is one for tabs on several nodes, each of which gets all that it brings", function()
    local nodes = serve(3)
    local tabs  = {}
    for i, node in ipairs(nodes) do tabs[i] = connect(node) end
    feeder:wait_live("ann", 1)
    for _, number in ipairs(numbers(20)) do feeder:say("ann", number) end
    for _, tab in ipairs(tabs) do
      wait_said(tab, 20)
      assert.same(numbers(20), got(tab, "say"))
    end
    wait.pass(LEASE + 1)
    assert.same({ 1, 1, 0 }, { feeder:live "ann", feeder:openings "ann", feeder.overlaps })
  end)

  it("stays for tabs elsewhere, and for a grace after the last of them", function()
    local nodes = serve(2)
    local first = connect(nodes[1])
    feeder:wait_live("ann", 1)
    local second = connect(nodes[2])
    first:close()
    wait.pass(3.5)
    feeder:say("ann", "1")
    wait_said(second, 1)
    second:close()
    wait.pass(1)
    local third = connect(nodes[2])
    wait.pass(3)
    feeder:say("ann", "2")
    wait_said(third, 1)
    assert.equal(1, feeder:openings "ann")
    third:close()
    local closed_at = wait.now()
    feeder:wait_live("ann", 0, 8)
    assert.is_true(wait.now() - closed_at > 1.5)
    wait.pass(1)
    assert.equal(1, feeder:openings "ann")
  end)

  it("tells who was there before its first opening, and is back on another node behind it", function()
    local refused = true
    local nodes = serve(2, nil, function() return refused and upstream.refusal(503) or nil end)
    local there = connect(nodes[1])
    wait.wait_until(function() return nodes[1]:metric "sluice_claims_held" == 1 end, 5, "one to hold the link")
    local away = connect(nodes[2])
    wait.wait_until(function() return nodes[2]:metric "sluice_claims" == 1 end, 5, "the other to wish it, too")
    away:close()
    wait.wait_until(function() return nodes[2]:metric "sluice_claims" == 0 end, 5, "the other not to wish it")
    wait.pass(0.2)
    refused = false
    feeder:wait_live("ann", 1, 8)
    there:next("resync", 5)
    local back = sse.open(nodes[2].address, { headers = { ["x-user"] = "ann" }, last_event_id = away.last_id() })
    assert.matches('"resumed":true', back:next("ready").data)
    assert.matches('"reason":"upstream"', back:next("resync", 5).data)
  end)

  it("is moved when its node is killed, without an event lost or doubled", function()
    local nodes = serve(2)
    connect(nodes[1])
    feeder:wait_live("ann", 1)
    local tab  = connect(nodes[2])
    local last = say_until(0, function() return #got(tab, "say") >= 10 end, 5, "ten events")
    clusters.kill(nodes[1])
    local killed_at = wait.now()
    last = say_until(last, function() return feeder:openings "ann" == 2 end, LEASE + 2, "another link")
    assert.is_true(wait.now() - killed_at < LEASE + 2)
    last = say_until(last, function() return #got(tab, "say") >= last end, 5, "the events of meanwhile")
    wait_said(tab, last)
    assert.same(numbers(last), got(tab, "say"))
    assert.same({}, { unpack(got(tab, "resync"), 2) })
  end)

  it("is moved at once when its node ends, before its streams are all gone, without a hole", function()
    local nodes = serve(2)
    local slow  = sse.open(nodes[1].address, { headers = { ["x-user"] = "ann" }, receive_buffer = 4096 })
    feeder:wait_live("ann", 1)
    local tab  = connect(nodes[2])
    local last = say_until(0, function() return #got(tab, "say") >= 10 end, 5, "ten events")
    slow:stall()
    for _ = 1, 60 do feeder:say("ann", ("x"):rep(100000)) end
    last = last + 60
    wait_said(tab, last, 10)
    nodes[1].process:signal "TERM"
    local ended_at = wait.now()
    local first_after = last
    last = say_until(last, function() return feeder:openings "ann" == 2 end, 3, "another link")
    assert.is_true(wait.now() - ended_at < 1.5)
    last = say_until(last, function() return #got(tab, "say") >= last end, 5, "the events of meanwhile")
    wait_said(tab, last)
    local said = got(tab, "say")
    for number = first_after + 1, last do assert.equal(tostring(number), said[number]) end
    assert.equal(last, #said)
    assert.same({ 1, 0 }, { feeder:live "ann", feeder.overlaps })
    assert.is_true(nodes[1].process:alive())
    slow:close()
  end)

  it("is another node's when its own was stopped, which reads nothing more when it wakes", function()
    local nodes = serve(2)
    connect(nodes[1])
    feeder:wait_live("ann", 1)
    local tab  = connect(nodes[2])
    local last = say_until(0, function() return #got(tab, "say") >= 10 end, 5, "ten events")
    wait_said(tab, last)
    local read = nodes[1]:metric "sluice_upstream_events_total"
    assert.same({ 1, 0 }, { nodes[1]:metric "sluice_claims_held", nodes[1]:metric "sluice_claims_lost_total" })
    stop_at_work(nodes[1])
    last = say_until(last, function() return feeder:openings "ann" == 2 end, LEASE + 2, "another link")
    last = say_until(last, function() return #got(tab, "say") >= last end, 5, "the events of meanwhile")
    wait.pass(2)
    clusters.continue(nodes[1])
    feeder:wait_live("ann", 1, 3)
    assert.is_true(feeder:was_reset("ann", 1), "what its link brought meanwhile was read by nobody")
    assert.same({ 0, 1, read }, { nodes[1]:metric "sluice_claims_held", nodes[1]:metric "sluice_claims_lost_total",
                                  nodes[1]:metric "sluice_upstream_events_total" })
    last = say_until(last, function() return #got(tab, "say") >= last + 5 end, 5, "five events more")
    wait_said(tab, last)
    assert.same(numbers(last), got(tab, "say"))
    assert.same({ 2, 1 }, { feeder:openings "ann", feeder:live "ann" })
  end)

  it("tells a node that wakes behind it and its end, and does not begin where that one was", function()
    local nodes = serve(2)
    local tab   = connect(nodes[1])
    feeder:wait_live("ann", 1)
    feeder:say("ann", "1")
    wait_said(tab, 1)
    clusters.stop(nodes[1])
    local other = connect(nodes[2])
    wait.wait_until(function() return feeder:openings "ann" == 2 end, LEASE + 2, "another link")
    feeder:say("ann", "2")
    wait_said(other, 1)
    other:close()
    wait.wait_until(function() return nodes[2]:metric "sluice_claims" == 0 end, 5, "the end of its grace")
    clusters.continue(nodes[1])
    wait.wait_until(function() return feeder:openings "ann" == 3 end, 5, "a third link")
    assert.is_nil(feeder:last_request("ann").headers["last-event-id"])
    wait.wait_until(function() return #got(tab, "resync") == 2 end, 5, "a second resync")
    feeder:say("ann", "3")
    wait_said(tab, 3)
    assert.same(numbers(3), got(tab, "say"))
  end)

  it("does not begin where a node was that wakes behind another one and a Redis that forgot both", function()
    local nodes = serve(2)
    local tab   = connect(nodes[1])
    feeder:wait_live("ann", 1)
    feeder:say("ann", "1")
    wait_said(tab, 1)
    clusters.stop(nodes[1])
    local other = connect(nodes[2])
    wait.wait_until(function() return feeder:openings "ann" == 2 end, LEASE + 2, "another link")
    redis:flush()
    other:next("resync", 5)
    feeder:say("ann", "2")
    wait_said(other, 1)
    other:close()
    wait.wait_until(function() return nodes[2]:metric "sluice_claims" == 0 end, 5, "the end of its grace")
    clusters.continue(nodes[1])
    wait.wait_until(function() return feeder:openings "ann" == 3 end, LEASE + 4, "a third link")
    assert.is_nil(feeder:last_request("ann").headers["last-event-id"])
    feeder:say("ann", "3")
    wait_said(tab, 3)
    assert.same(numbers(3), got(tab, "say"))
  end)

  it("loses and doubles nothing while Redis is away", function()
    local nodes = serve(2)
    local tabs  = { connect(nodes[1]), connect(nodes[2]) }
    feeder:wait_live("ann", 1)
    local function both_have(count) return function()
      return #got(tabs[1], "say") >= count() and #got(tabs[2], "say") >= count()
    end end
    local last = 0
    local function go_on(timeout)
      local from = last
      last = say_until(last, both_have(function() return from + 5 end), timeout, "five events more")
    end
    go_on(5)
    redis:kill_clients()
    go_on(15)
    for _, seconds in ipairs { 3, 8 } do -- shorter and longer than a lease
      redis:pause()
      local until_time = wait.now() + seconds
      last = say_until(last, function() return wait.now() > until_time end, seconds + 2)
      redis:continue()
      go_on(20)
    end
    for _, tab in ipairs(tabs) do
      wait_said(tab, last, 10)
      assert.same(numbers(last), got(tab, "say"))
    end
    assert.same({ 1, 0 }, { feeder:live "ann", feeder.overlaps })
  end)

  it("is tried with the data of who is elsewhere when its own is refused", function()
    local good = "Bearer new"
    local nodes = serve(2, nil, function(request)
      if request.headers.authorization ~= good then return upstream.refusal(401) end
    end)
    local old = connect(nodes[1], "ann", "old")
    assert.matches("401", old:next("unauthorized", 5).data)
    local new = connect(nodes[2], "ann", "new")
    feeder:wait_live("ann", 1, 8)
    feeder:say("ann", "1")
    wait_said(old, 1)
    wait_said(new, 1)
    assert.same({ 1, 0 }, { feeder:openings "ann", feeder.overlaps })
  end)

  it("that nobody trusts to resume is told where it goes on, once to each tab, on all nodes", function()
    local nodes = serve(3, "")
    connect(nodes[1])
    feeder:wait_live("ann", 1)
    local tabs = { connect(nodes[2]), connect(nodes[3]) }
    wait.pass(1.5) -- what came with the first opening
    local before = { #got(tabs[1], "resync"), #got(tabs[2], "resync") }
    clusters.kill(nodes[1])
    wait.wait_until(function() return feeder:openings "ann" == 2 end, LEASE + 2, "another link")
    for i, tab in ipairs(tabs) do
      wait.wait_until(function() return #got(tab, "resync") > before[i] end, 3, "a resync")
      assert.matches('"reason":"upstream"', got(tab, "resync")[before[i] + 1])
    end
    wait.pass(0.5)
    for i, tab in ipairs(tabs) do assert.equal(before[i] + 1, #got(tab, "resync")) end
  end)

  it("without a topic has its leaseholders told to re-read, on all nodes", function()
    local nodes = serve(2, "", nil, "nil")
    local tabs  = { connect(nodes[1]), connect(nodes[2]) }
    feeder:wait_live("ann", 1)
    wait.pass(1.5)
    local before = { #got(tabs[1], "resync"), #got(tabs[2], "resync") }
    feeder:cut "ann"
    feeder:wait_live("ann", 1)
    for i, tab in ipairs(tabs) do
      wait.wait_until(function() return #got(tab, "resync") > before[i] end, 3, "a resync")
    end
    wait.pass(0.5)
    for i, tab in ipairs(tabs) do assert.equal(before[i] + 1, #got(tab, "resync")) end
  end)

  it("brings again what waited in a window when its node died", function()
    local nodes = serve(2)
    connect(nodes[1])
    feeder:wait_live("ann", 1)
    local tab = connect(nodes[2])
    feeder:say("ann", "1")
    wait_said(tab, 1)
    feeder:say("ann", "late")
    feeder:say("ann", "2")
    wait_said(tab, 2)
    clusters.kill(nodes[1])
    wait.wait_until(function() return #got(tab, "late") == 1 end, LEASE + 8, "what waited")
    assert.same({ "late" }, got(tab, "late"))
  end)

  it("that opens for the first time tells who comes back from before, too", function()
    local closed = true
    local nodes  = serve(2, nil, function() if closed then return upstream.refusal(503) end end)
    local first  = connect(nodes[1])
    local id     = first.last_id()
    connect(nodes[1])
    first:close()
    closed = false
    feeder:wait_live("ann", 1)
    local back = sse.open(nodes[2].address, { headers = { ["x-user"] = "ann" }, last_event_id = id })
    assert.matches('"resumed":true', back:next("ready").data)
    assert.matches('"reason":"upstream"', back:next("resync").data)
  end)
end)
