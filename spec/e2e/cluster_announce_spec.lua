-- What a rule on one node does to users holds on the others, too: streams end, for good where that was said, answers of
-- audiences are forgotten; and what a user was not told on one node it is told on another.

local clusters = require "spec.support.cluster"
local http     = require "spec.support.http"
local json     = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse      = require "spec.support.sse"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local store  = require "sluice.store"
local time   = require "sluice.time"
local app  = sluice.app "demo"

local who = sluice.identity(function(req) return { user = req.query.user } end)
local function anybody() return true end

-- What this node answers; each has a store of its own.
local room  = app:topic("room:{id}", { subscribe = anybody, history = { size = 64, ttl = 60 } })
local board = app:topic("board:{id}", { subscribe = anybody, history = { size = 64, ttl = 60 },
  audience = { ttl = 60, key = function() return "all" end, ask = function(_, users)
    local may = store.get "may" ~= "no"
    store.set("asked", (store.get "asked" or 0) + 1)
    if store.get "slow" then time.sleep(0.7) end
    return may and users or {}
  end } })
local sifted = app:topic("sifted:{id}", { subscribe = anybody, history = { size = 64, ttl = 60 },
  filter = function()
    if store.get "broken" then error "nobody knows" end
    return true
  end })

local topics = { room = room, board = board, sifted = sifted }
local function named(name)
  local kind, id = name:match "^(%a+):(.*)$"
  return topics[kind](id)
end

app:stream("s", { path = "/s", identity = who })
app:route("set", "POST /set", { run = function(req)
  for name, value in pairs(req:json()) do store.set(name, value or nil) end
  return 204
end })
app:route("asked", "GET /asked", { run = function() return { json = { asked = store.get "asked" or 0 } } end })
app:route("say", "POST /say", { run = function(req)
  local said = req:json()
  named(said.topic):emit("said", said.text)
  return 204
end })
app:route("kick", "POST /kick", { run = function(req)
  local order = req:json()
  if order.text then
    named(order.topic):emit("said", order.text)
    app:flush()
  end
  local ended = app:disconnect({ user = order.user, tag = order.tag }, { event = "bye", final = order.final })
  return { json = { ended = ended } }
end })
app:route("join", "POST /join", { run = function(req)
  local order = req:json()
  local sub = app:subscribers({ user = order.user })[1]
  return { json = { sub[order.how](sub, named(order.topic)) } }
end })
app:route("forget", "POST /forget", { run = function(req)
  local order = req:json()
  app:forget(order.topic, order.user)
  return 204
end })
]]

local TAG = "0123456789abcdef"

describe("nodes of a cluster", function()
  local cluster, redis, servers

  local function begin(options)
    options = options or {}
    servers = {}
    for i = 1, options.servers or 1 do servers[i] = redis_server.start() end
    redis = servers[1]
    cluster = clusters.start { nodes = 2, rules = RULES, servers = servers, errors = options.errors }
    cluster:wait_ready()
  end

  local function post(node, path, body)
    local answer = http.request(cluster.nodes[node].address, {
      method = "POST", path = path, body = json.encode(body), headers = { ["content-type"] = "application/json" } })
    assert.is_true(answer.status < 300, path .. ": " .. answer.status .. " " .. answer.body)
    return answer
  end

  local function tab_of(node, query, last)
    return sse.open(cluster.nodes[node].address, { path = "/s?" .. query, last_event_id = last })
  end

  local function open(node, query)
    local tab = tab_of(node, query)
    tab:next "ready"
    return tab
  end

  local function say(node, topic, text) post(node, "/say", { topic = topic, text = text }) end

  local function end_behind(options)
    begin(options)
    local bob = open(2, "user=bob&topic=room:20")
    for i = 1, 20 do
      local topic = "room:" .. i -- of whatever server
      local ann, other = open(2, "user=ann&topic=" .. topic), open(1, "user=ann&topic=" .. topic)
      local answer = json.decode(post(1, "/kick", { user = "ann", topic = topic, text = "last " .. i }).body)
      assert.is_true(answer.ended >= 1)
      for _, tab in ipairs { ann, other } do
        tab:wait_end(5)
        assert.equal("last " .. i, tab:data("said")[1])
        assert.equal(1, tab:count "bye")
        assert.equal("bye", tab:types()[#tab:types()])
      end
    end
    assert.equal("last 20", bob:next("said", 5).data)
    assert.equal(0, bob:count "bye")
  end

  it("end a user's streams wherever they are, behind what was published before", function() end_behind() end)
  it("do so, too, where several servers give the order", function() end_behind { servers = 3 } end)

  it("end who is nowhere on the node that ends it", function()
    begin()
    local ann, second = open(2, "user=ann&tag=" .. TAG .. "&topic=room:1"), open(2, "user=ann&topic=room:1")
    assert.equal(0, json.decode(post(1, "/kick", { user = "ann", tag = TAG }).body).ended)
    ann:wait_end(5)
    say(1, "room:1", "on")
    assert.equal("on", second:next("said", 5).data)
  end)

  it("send who was ended for good away, wherever it comes back", function()
    begin()
    local ann = open(1, "user=ann&tag=" .. TAG .. "&topic=room:1")
    post(1, "/kick", { user = "ann", final = true })
    ann:wait_end(5)
    local function status(node)
      local tab = tab_of(node, "user=ann&topic=room:1&tag=" .. TAG)
      tab:close()
      return tab.status
    end
    wait.wait_until(function() return status(2) == 204 end, 5, "204 on the other node")
    assert.equal(204, status(1))
    open(2, "user=ann&topic=room:1"):close()
  end)

  it("hear of it when they are back on Redis", function()
    begin()
    local ann = open(2, "user=ann&topic=room:1")
    clusters.cut(cluster.nodes[2])
    redis:kill_clients "pubsub" -- so that the server keeps nothing for it
    post(1, "/kick", { user = "ann" })
    wait.wait_until(function() return redis:cli("KEYS", "*:announced:last:*") ~= "" end, 10, "the announcement")
    clusters.mend(cluster.nodes[2])
    ann:wait_end(20)
    assert.equal(1, ann:count "bye")
  end)

  it("announce what was done while Redis was away", function()
    begin()
    local ann = open(1, "user=ann&topic=room:1")
    clusters.cut(cluster.nodes[2])
    post(2, "/kick", { user = "ann" })
    clusters.mend(cluster.nodes[2])
    ann:wait_end(20)
  end)

  it("forget what audiences have answered, also where it is being asked", function()
    begin()
    local ann = open(2, "user=ann&topic=board:1&topic=room:1")
    say(1, "board:1", "one")
    assert.equal("one", ann:next("said", 5).data)
    post(2, "/set", { may = "no" })
    say(1, "board:1", "two")
    assert.equal("two", ann:next("said", 5).data) -- an answer is good for its time
    post(1, "/forget", { topic = "board:1", user = "ann" })
    say(1, "board:1", "three")
    say(1, "room:1", "end")
    assert.equal("end", ann:next("said", 5).data)

    post(2, "/set", { may = "yes", slow = true })
    post(1, "/forget", {})
    local function asked() return http.get(cluster.nodes[2].address, "/asked").json().asked end
    local before = asked()
    say(1, "board:1", "four")
    wait.wait_until(function() return asked() > before end, 5, "the question")
    post(2, "/set", { may = "no", slow = false })
    post(1, "/forget", { topic = "board:1" })
    say(1, "room:1", "end")
    assert.equal("end", ann:next("said", 5).data)
    assert.equal(before + 2, asked())
  end)

  -- A tab on node 1 that was denied something for want of an answer, and has the id of something behind it.
  local function withheld(count)
    begin { errors = "nobody knows", servers = count }
    local ann = open(1, "user=ann&topic=sifted:1&topic=room:1")
    post(1, "/set", { broken = true })
    say(2, "sifted:1", "secret")
    say(2, "room:1", "seen")
    local last = ann:next("said", 5)
    assert.equal("seen", last.data)
    return ann, last.id
  end

  local resumed = 0

  -- Comes back on node 2; what it is told to re-read, and a later id.
  local function resume(last, query)
    local tab = tab_of(2, query or "user=ann&topic=sifted:1&topic=room:1", last)
    tab:next "ready"
    local said
    local told = {}
    resumed = resumed + 1
    local text = "more " .. resumed
    say(2, "room:1", text)
    repeat
      said = tab:next("said", 5)
    until said.data == text
    for _, data in ipairs(tab:data "resync") do
      local resync = json.decode(data)
      told[#told + 1] = resync.reason .. " " .. table.concat(resync.topics, " ")
    end
    tab:close()
    return table.concat(told, ", "), said.id
  end

  it("tell who comes back on another that something was withheld, once", function()
    local ann, last = withheld()
    local told = resume(last) -- node 1 may still hold the dead connection for alive
    assert.equal("access sifted:1", told)
    ann:close()
    wait.wait_until(function() return redis:cli("--raw", "EVAL",
      "local k = redis.call('KEYS', '*:stretch:*') return redis.call('HVALS', k[1])[1]", "0"):find "%d$" end, 5,
      "the stretch's end")
    local id
    told, id = resume(last)
    assert.equal("access sifted:1", told)
    assert.equal("", (resume(id)))
    assert.equal("", (resume(last, "user=bob&topic=sifted:1&topic=room:1")))
    assert.equal("", (resume(last, "user=ann&topic=room:1")))
  end)

  it("tell it where several servers give the order", function()
    local _, last = withheld(3)
    assert.equal("access sifted:1", (resume(last)))
  end)

  it("tell it where another server has begun anew since", function()
    local _, last = withheld(3)
    local function has_it(server) return server:cli("KEYS", "*:stretch:*") ~= "" end
    local function is_there() return has_it(servers[1]) or has_it(servers[2]) or has_it(servers[3]) end
    wait.wait_until(is_there, 5, "the stretch")
    local other = has_it(servers[1]) and servers[2] or servers[1]
    local before = other:cli("HGET", "sluice:epoch", "id")
    other:flush()
    local function begun() return not before:find(other:cli("HGET", "sluice:epoch", "id"), 1, true) end
    wait.wait_until(begun, 10, "another epoch")
    cluster:wait_ready()
    assert.matches("access sifted:1", (resume(last)), 1, true)
  end)

  it("do not tell who was told, or had missed nothing", function()
    local ann = withheld()
    post(1, "/set", { broken = false })
    assert.equal("access", json.decode(ann:next("resync", 10).data).reason)
    say(1, "room:1", "later")
    local last = ann:next("said", 5).id
    ann:close()
    assert.equal("", (resume(last)))
  end)

  it("tell it, too, when the node that withheld it is dead", function()
    local _, last = withheld()
    clusters.kill(cluster.nodes[1])
    redis:cli("DEL", "sluice:nodes") -- as it is after CLUSTER_DEAD_MS
    local told, id = resume(last)
    assert.equal("access sifted:1", told)
    assert.equal("", (resume(id)))
  end)

  it("give a stream a topic that is not there yet, and nothing from then on is missed", function()
    begin()
    local ann = open(1, "user=ann&topic=room:0")
    for i, how in ipairs { "join", "subscribe", "join", "subscribe", "join", "subscribe" } do
      local topic = "room:" .. i
      say(2, topic, "before")
      assert.same({ true }, json.decode(post(1, "/join", { user = "ann", topic = topic, how = how }).body))
      say(2, topic, how .. i)
      assert.equal(how .. i, ann:next("said", 5).data)
    end
    assert.equal(0, ann:count "resync")
  end)

  it("say that a topic cannot be had where Redis is away", function()
    begin { errors = "." }
    local ann = open(1, "user=ann&topic=room:0")
    clusters.cut(cluster.nodes[1])
    local answer = http.request(cluster.nodes[1].address, { method = "POST", path = "/join", timeout = 15,
      body = json.encode { user = "ann", topic = "room:1", how = "join" },
      headers = { ["content-type"] = "application/json" } })
    assert.truthy(answer.body:find("away", 1, true), answer.body)
    clusters.mend(cluster.nodes[1])
    ann:close()
  end)

  it("forget everything where Redis began anew", function()
    begin()
    local ann = open(2, "user=ann&topic=board:1")
    say(1, "board:1", "one")
    ann:next("said", 5)
    post(2, "/set", { may = "no" })
    redis:cli "FLUSHALL"
    assert.equal("epoch", json.decode(ann:next("resync", 20).data).reason)
    cluster:wait_ready()
    local function asked() return http.get(cluster.nodes[2].address, "/asked").json().asked end
    local before = asked()
    wait.wait_until(function()
      pcall(say, 1, "board:1", "two")
      return asked() > before
    end, 10, "the question")
    assert.equal(0, #ann:data "said" - 1)
  end)
end)
