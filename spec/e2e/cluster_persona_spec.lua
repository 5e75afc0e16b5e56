-- Rooms on several nodes: what apps publish in Redis, what jobs report, what people say and who is there is the same
-- on each of them.

local clusters = require "spec.support.cluster"
local http     = require "spec.support.http"
local json     = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse      = require "spec.support.sse"
local wait     = require "spec.support.wait"

local KEY   = "the key of who publishes"
local LEASE, DEAD, GRACE = 6, 10, 5 -- seconds: CLAIMS_LEASE_MS, CLUSTER_DEAD_MS, and the rules' own

describe("persona on several nodes", function()
  local cluster, nodes, redis, bus

  local function start(count, options)
    redis, bus = redis_server.start(options), redis_server.start()
    cluster = clusters.start {
      nodes = count, servers = { redis }, errors = options and options.errors,
      rules = { ["persona.lua"] = "rules/persona.lua", ["signer.lua"] = "spec/fixtures/signer.lua" },
      env   = { PERSONA_JWT_KEY = ("a secret of our own "):rep(2), PERSONA_PUBLISH_KEY = KEY, PERSONA_REDIS = bus.url },
    }
    nodes = cluster.nodes
    cluster:wait_ready()
  end

  local function alive()
    for _, node in ipairs(nodes) do
      if not node.dead then return node end
    end
  end

  local function token(user)
    local claims = { sub = user, aud = "persona", exp = os.time() + 3600, name = user:gsub("^%l", string.upper) }
    return http.post(alive().address, "/sign", { json = claims }).body
  end

  -- Ready, and with what names the channels of a stream.
  local function open(node, user, options)
    options = options or {}
    local tab = sse.open(node.address, {
      path = ("/api/events?token=%s&channel=%s%s"):format(token(user), options.channels or "channel:general",
                                                           options.tag and "&tag=" .. options.tag or ""),
      last_event_id = options.last_event_id,
    })
    tab.hello = json.decode(tab:next("ready", 10).data)
    return tab
  end

  local function say(node, user, content, options)
    return http.post(node.address, "/api/chat/messages", {
      headers = { authorization = "Bearer " .. token(user), ["x-session-tag"] = options and options.tag },
      json    = { channel = "channel:general", content = content, userId = options and options.userId },
    }).status
  end

  local function report(node, topic, message)
    return http.post(node.address, "/api/realtime", {
      headers = { authorization = "Bearer " .. KEY },
      json    = { type = "message", topic = topic, data = message },
    }).status
  end

  -- By redis-cli, as apps do: how many heard it.
  local function publish(topic, message)
    return bus:cli("PUBLISH", topic, type(message) == "table" and json.encode(message) or message)
  end

  local function chat(content) return { type = "chat", userId = "app", content = content } end

  -- What came to a tab but who is there.
  local function came(tab)
    local list = {}
    for _, data in ipairs(tab:data "message") do
      local message = json.decode(data)
      if message.type ~= "presence" then list[#list + 1] = message end
    end
    return list
  end

  local function contents(tab)
    local list = {}
    for i, message in ipairs(came(tab)) do list[i] = message.content end
    return list
  end

  local function wait_for(tab, content, timeout)
    wait.wait_until(function()
      local list = contents(tab)
      return list[#list] == content
    end, timeout or 10, content)
  end

  local function holders()
    local list = {}
    for _, node in ipairs(nodes) do
      if not node.dead and node:log():find('msg="source listens"', 1, true) then list[#list + 1] = node end
    end
    return list
  end

  local function holder()
    wait.wait_until(function() return #holders() == 1 end, 20, "one that listens to the bus")
    return holders()[1]
  end

  local function sum(series)
    local value = 0
    for _, node in ipairs(nodes) do value = value + node:metric(series) end
    return value
  end

  -- That somebody came may be on its way yet; the nodes are cut off before they are ended.
  after_each(function()
    for _, node in ipairs(nodes) do
      local series = ('sluice_redis_waiting_commands{server="redis://%s"}'):format(node.wire.address)
      wait.wait_until(function() return node.dead or node:metric(series) == 0 end, 10, "answers from Redis")
    end
  end)

  it("has what is published in Redis once on each, in one order, and drops what makes no sense", function()
    start(3)
    holder()
    local tabs, expected = {}, {}
    for i, node in ipairs(nodes) do
      tabs[i] = open(node, "user" .. i, { channels = "channel:general&channel=user:user" .. i })
    end
    for i = 1, 30 do
      assert.equal("1", publish("realtime:channel:general", chat(tostring(i))))
      expected[i] = tostring(i)
      if i % 10 == 0 then publish("realtime:channel:general", "no JSON") end
    end
    publish("realtime:channel:general", { type = "chat", content = "of nobody" })
    publish("realtime:room:general", chat "of no channel")
    publish("realtime:user:user2", chat "for one")
    publish("realtime:channel:general", chat "last")
    for _, tab in ipairs(tabs) do wait_for(tab, "last") end
    for i, tab in ipairs(tabs) do
      local got, own = contents(tab), {}
      for place, content in ipairs(got) do
        if content == "for one" then own[#own + 1] = table.remove(got, place) end
      end
      assert.equal("last", table.remove(got))
      assert.same(expected, got)
      assert.equal(i == 2 and 1 or 0, #own)
      assert.equal(0, tab:count "resync")
    end
    assert.equal(5, sum "sluice_events_dropped_total")
    assert.equal(1, #holders())
    for _, node in ipairs(nodes) do assert.equal(1, node:metric "sse_connections_total") end
    assert.equal(0, sum "redis_publish_errors")
  end)

  it("says and reports on any what all have, in one order, without the own echo", function()
    start(2)
    local tag  = "a-tab-of-anns-on-one"
    local ann, bob = open(nodes[1], "ann", { tag = tag }), open(nodes[2], "bob")
    assert.equal(204, say(nodes[2], "ann", "hello", { tag = tag, userId = "bob" }))
    assert.equal(204, say(nodes[1], "bob", "hi"))
    for _, progress in ipairs { 10, 20 } do
      local job = { type = "generation_progress", jobId = "j", progress = progress, content = "p" .. progress }
      assert.equal(200, report(nodes[progress / 10], "realtime:channel:general", job))
      for _, tab in ipairs { ann, bob } do wait_for(tab, job.content) end -- or the next takes its place
    end
    assert.equal(200, report(nodes[2], "realtime:channel:general",
                             { type = "generation_complete", jobId = "j", content = "done", result = { url = "/1" } }))
    for _, tab in ipairs { ann, bob } do wait_for(tab, "done") end
    assert.same({ "hello", "hi", "p10", "p20", "done" }, contents(bob))
    assert.same({ "hi", "p10", "p20", "done" }, contents(ann))
    assert.same({ "ann", "Ann" }, { came(bob)[1].userId, came(bob)[1].userName })
    assert.equal("/1", came(ann)[4].result.url)
  end)

  -- Who came and went, as a tab has been told.
  local function told(tab)
    local list = {}
    for _, data in ipairs(tab:data "message") do
      local message = json.decode(data)
      if message.type == "presence" then
        list[#list + 1] = ("%s %s %s"):format(message.userId, message.userName, message.status)
      end
    end
    return list
  end

  local function members(node, user)
    local answer = http.get(node.address, "/api/channels/general/members",
                            { authorization = "Bearer " .. token(user) })
    local list = {}
    for i, member in ipairs(answer.json().members) do list[i] = member.userId .. " " .. member.userName end
    return list
  end

  it("says the same of who is there on all, by name, whoever comes or goes, or was on a node that is killed", function()
    start(3)
    local function wait_told(tab, count, timeout)
      wait.wait_until(function() return #told(tab) >= count end, timeout or 5, count .. " changes")
    end
    local ann = open(nodes[1], "ann")
    wait_told(ann, 1)
    local one = open(nodes[1], "bob")
    wait_told(ann, 2)
    local two = open(nodes[2], "bob")
    open(nodes[3], "cid")
    wait_told(ann, 3)
    for _, node in ipairs(nodes) do assert.same({ "ann Ann", "bob Bob", "cid Cid" }, members(node, "ann")) end
    one:close()
    two:close()
    local left = wait.now()
    wait_told(ann, 4, GRACE + 5)
    assert.is_true(wait.now() - left >= GRACE - 0.1)
    for _, node in ipairs(nodes) do assert.same({ "ann Ann", "cid Cid" }, members(node, "ann")) end
    clusters.kill(nodes[3])
    wait_told(ann, 5, DEAD + GRACE + 5)
    assert.same({ "ann Ann online", "bob Bob online", "cid Cid online", "bob Bob offline", "cid Cid offline" },
                told(ann))
    for _, node in ipairs { nodes[1], nodes[2] } do assert.same({ "ann Ann" }, members(node, "ann")) end
  end)

  it("goes on where a stream was, on another node", function()
    start(2)
    local ann = open(nodes[1], "ann")
    say(nodes[2], "bob", "one")
    wait_for(ann, "one")
    local last = ann.last_id()
    ann:close()
    say(nodes[1], "bob", "two")
    say(nodes[2], "bob", "three")
    local back = open(nodes[2], "ann", { last_event_id = last })
    wait_for(back, "three")
    assert.is_true(back.hello.resumed)
    assert.same({ "two", "three" }, contents(back))
  end)

  it("is heard by another node when the one that listened is killed, and all are told", function()
    start(3)
    local dead = holder()
    local tabs = {}
    for _, node in ipairs(nodes) do
      if node ~= dead then tabs[#tabs + 1] = open(node, "ann", { channels = "channel:general&channel=user:ann" }) end
    end
    publish("realtime:channel:general", chat "before")
    for _, tab in ipairs(tabs) do wait_for(tab, "before") end
    clusters.kill(dead)
    local from = wait.now()
    for _, tab in ipairs(tabs) do
      local topics = {}
      while not (topics["channel:general"] and topics["user:ann"]) do
        local resync = json.decode(tab:next("resync", 30).data)
        assert.equal("upstream", resync.reason)
        for _, topic in ipairs(resync.topics) do topics[topic] = true end
      end
    end
    assert.is_true(wait.now() - from < (LEASE + 3) * wait.patience, "it took longer than a lease")
    assert.equal("1", publish("realtime:channel:general", chat "after"))
    for _, tab in ipairs(tabs) do
      wait_for(tab, "after")
      assert.same({ "before", "after" }, contents(tab))
    end
    assert.equal(1, #holders())
  end)

  it("refuses to say what cannot reach the others while their Redis is away, and counts it", function()
    start(2, { appendonly = true, errors = "triggers were not published" })
    local ann = open(nodes[1], "ann")
    assert.equal(204, say(nodes[2], "bob", "before"))
    wait_for(ann, "before")
    local bob = token "bob"
    redis:kill()
    wait.wait_until(function() return http.get(nodes[2].admin, "/ready").status == 503 end, 15, "the node to know")
    local answer = http.post(nodes[2].address, "/api/chat/messages", {
      headers = { authorization = "Bearer " .. bob }, json = { channel = "channel:general", content = "lost" },
    })
    assert.equal(503, answer.status)
    assert.is_true(nodes[2]:metric "redis_publish_errors" >= 1)
    assert.equal(503, http.get(nodes[2].address, "/api/channels/general/members",
                               { authorization = "Bearer " .. bob }).status)
    redis:start()
    cluster:wait_ready()
    assert.equal("epoch", json.decode(ann:next("resync", 15).data).reason)
    assert.equal(204, say(nodes[2], "bob", "after"))
    wait_for(ann, "after")
    assert.same({ "before", "after" }, contents(ann))
  end)
end)
