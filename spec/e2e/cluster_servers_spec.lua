-- Several Redis servers share the topics: each topic stands on one of them, and what befalls that one befalls its
-- topics alone.

local clusters = require "spec.support.cluster"
local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local proxy    = require "spec.support.proxy"
local redis    = require "spec.support.redis"
local sse      = require "spec.support.sse"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "shared"
local room = app:topic("room:{n}", { subscribe = function() return true end, history = { size = 100, ttl = 60 } })
app:stream("events", { path = "/events", refusal = "retry", topics = function(req)
  local list = {}
  for n in req.query.rooms:gmatch "%w+" do list[#list + 1] = room(n) end
  return list
end })
-- One trigger in each of the rooms, published together.
app:route("say", "POST /say", { run = function(req)
  for n in req.query.rooms:gmatch "%w+" do room(n):emit("said", n .. " " .. req.body) end
  return 204
end })
local input = app:ingest("in", { path = "/publish", authorize = false })
input:on("say", function(ev)
  for n in ev:json().rooms:gmatch "%w+" do room(n):emit("said", n .. " " .. ev:json().text) end
end)
]]

local ROOMS = 40

local function start(count, options)
  local servers = {}
  for i = 1, count do servers[i] = redis.start() end
  options = options or {}
  local cluster = clusters.start { nodes = options.nodes or 2, rules = RULES, servers = servers,
                                   errors = options.errors, conf = options.conf }
  cluster:wait_ready()
  return cluster, servers
end

local function say(node, rooms, text)
  return http.post(node.address, "/say?rooms=" .. rooms, { body = text }).status
end

local function open(node, rooms, cursor)
  local tab = sse.open(node.address, { path = "/events?rooms=" .. rooms, last_event_id = cursor })
  tab:next("ready", 5)
  return tab
end

--- Says something in many rooms; returns for each server the names of its rooms.
local function spread(cluster, servers)
  local names, of = {}, {}
  for n = 1, ROOMS do names[n] = tostring(n) end
  assert.equal(204, say(cluster.nodes[1], table.concat(names, ","), "first"))
  local seen = {}
  for i, server in ipairs(servers) do
    of[i] = {}
    for key in server:cli("KEYS", "sluice:stream:*"):gmatch "[^\n]+" do
      local name = key:match "room:(%w+)$"
      assert.is_nil(seen[name], "a topic on two servers")
      seen[name] = true
      table.insert(of[i], name)
    end
  end
  return of
end

local function data_of(tab, type, count)
  local list = {}
  for i = 1, count do list[i] = tab:next(type, 5).data end
  return list
end

describe("topics of several Redis servers", function()
  for count = 2, 3 do
    it("are spread over " .. count .. ", and a stream has those of all", function()
      local cluster, servers = start(count)
      local of, total = spread(cluster, servers), 0
      for i = 1, count do
        assert.is_true(#of[i] >= 3, "a server has hardly any topic")
        total = total + #of[i]
      end
      assert.equal(ROOMS, total)
      local one, two = cluster.nodes[1], cluster.nodes[2]
      local rooms = {}
      for i = 1, count do rooms[i] = of[i][1] end
      local all = table.concat(rooms, ",")
      local tab = open(two, all)
      for number = 1, 5 do assert.equal(204, say(one, all, tostring(number))) end
      local last = {}
      for _, text in ipairs(data_of(tab, "said", 5 * count)) do
        local name, number = text:match "^(%w+) (%d+)$"
        assert.equal((last[name] or 0) + 1, tonumber(number))
        last[name] = tonumber(number)
      end
      for i = 1, count do assert.equal(5, last[rooms[i]]) end
      local cursor = tab.last_id()
      tab:close()
      assert.equal(204, say(two, all, "missed"))
      local back = open(one, all, cursor)
      local missed = data_of(back, "said", count)
      table.sort(missed)
      table.sort(rooms)
      for i = 1, count do assert.equal(rooms[i] .. " missed", missed[i]) end
      assert.equal(204, say(two, rooms[1], "live"))
      assert.equal(rooms[1] .. " live", back:next("said", 5).data)
      assert.equal(0, back:count "resync")
    end)
  end
end)

describe("a Redis server of several", function()
  it("takes its own topics away, and brings them back with a resync for these alone", function()
    local cluster, servers = start(2, { errors = "route=say" })
    local of = spread(cluster, servers)
    local one, two = cluster.nodes[1], cluster.nodes[2]
    local lost, kept = of[1][1], of[2][1]
    local tab, gone = open(two, lost .. "," .. kept), open(one, lost .. "," .. kept)
    assert.equal(204, say(one, lost .. "," .. kept, "before"))
    data_of(tab, "said", 2)
    data_of(gone, "said", 2)
    gone:close()
    servers[1]:kill()
    wait.wait_until(function() return http.get(two.admin, "/ready").status == 503 end, 10, "a server to be missed")
    wait.wait_until(function() return http.get(one.admin, "/ready").status == 503 end, 10, "a server to be missed")
    assert.equal(204, say(one, kept, "meanwhile"))
    assert.equal(kept .. " meanwhile", tab:next("said", 5).data)
    assert.is_true(say(one, lost, "in vain") >= 500)
    servers[1]:start()
    cluster:wait_ready()
    local resync = tab:next("resync", 10).data
    assert.matches('"reason":"epoch"', resync)
    assert.matches("room:" .. lost, resync, 1, true)
    assert.is_nil(resync:find('"room:' .. kept .. '"', 1, true), resync)
    wait.wait_until(function() return say(one, lost .. "," .. kept, "again") == 204 end, 5, "both to be published to")
    local heard = data_of(tab, "said", 2)
    table.sort(heard)
    local expected = { lost .. " again", kept .. " again" }
    table.sort(expected)
    assert.same(expected, heard)
    local cursor = tab.last_id()
    tab:close()
    assert.equal(204, say(two, lost .. "," .. kept, "missed"))
    local back = open(one, lost .. "," .. kept, cursor)
    assert.equal(2, #data_of(back, "said", 2))
    assert.equal(0, back:count "resync")

    -- Who was away all the time missed what the other server's topic had, and no more.
    local late = open(two, lost .. "," .. kept, gone.last_id())
    local told = late:next("resync", 5).data
    assert.matches('"reason":"epoch"', told)
    assert.is_nil(told:find('"room:' .. kept .. '"', 1, true), told)
    wait.wait_until(function() return #late:data "said" == 3 end, 5, "what the other topic had")
    assert.same({ kept .. " meanwhile", kept .. " again", kept .. " missed" }, late:data "said")
  end)

  it("that is spelled otherwise by another node is the same one", function()
    local servers = { redis.start(), redis.start() }
    local nodes = {}
    for i = 1, 2 do
      local conf = ('redis = { "redis://%s", "redis://%s/0" }'):format(servers[i].address, servers[3 - i].address)
      nodes[i] = e2e.server { rules = RULES, conf = conf }
    end
    for _, node in ipairs(nodes) do
      wait.wait_until(function() return node:ready().ready end, 10, "a node to be ready")
    end
    local names = {}
    for n = 1, ROOMS do names[n] = tostring(n) end
    local all = table.concat(names, ",")
    local tab = open(nodes[2], all)
    assert.equal(204, say(nodes[1], all, "hi"))
    assert.equal(ROOMS, #data_of(tab, "said", ROOMS))
  end)
end)

describe("a publish over two servers", function()
  for deaf = 1, 2 do
    it("of which server " .. deaf .. " did not answer gives everything once when it is tried again", function()
      local servers, wires, urls = { redis.start(), redis.start() }, {}, {}
      for i, server in ipairs(servers) do
        wires[i] = proxy.open(server.address)
        urls[i] = ('"redis://%s"'):format(wires[i].address)
      end
      local node = e2e.server { rules = RULES, conf = ("redis = { %s }"):format(table.concat(urls, ", ")) }
      wait.wait_until(function() return node:ready().ready end, 10, "the node to be ready")
      local of = spread({ nodes = { node } }, servers)
      local rooms = of[1][1] .. "," .. of[2][1]
      local function publish(key)
        local data = { rooms = rooms, text = key }
        return http.post(node.address, "/publish", { json = { type = "say", data = data, id = key } })
      end
      for round = 1, 4 do -- the record is on one server or the other
        local key, tab = "round" .. round, open(node, rooms)
        wires[deaf]:deafen ""
        assert.equal(503, publish(key).status)
        wires[deaf]:deafen(nil)
        wires[deaf]:cut()
        wait.wait_until(function() return node:ready().ready end, 15, "the node to be ready again")
        wait.wait_until(function() return publish(key).status == 200 end, 10, "it to be published")
        assert.equal(204, say(node, rooms, "end" .. round))
        wait.wait_until(function() return #tab:data "said" >= 4 end, 5, "all to come")
        local heard = tab:data "said"
        table.sort(heard)
        local expected = {}
        for _, text in ipairs { key, "end" .. round } do
          for name in rooms:gmatch "%w+" do expected[#expected + 1] = name .. " " .. text end
        end
        table.sort(expected)
        assert.same(expected, heard)
        tab:close()
      end
    end)
  end
end)

describe("a node with another list of servers", function()
  it("is kept out until no other node lives, and says why", function()
    local cluster, servers = start(2)
    servers[3] = redis.start()
    local list = {}
    for i, server in ipairs(servers) do list[i] = ('"redis://%s"'):format(server.address) end
    local odd = e2e.server { rules = RULES, conf = ("redis = { %s }"):format(table.concat(list, ", ")),
                             errors = "redis cannot be used" }
    odd:wait_log("another list of Redis servers: name the same, or end those nodes", 10)
    assert.is_false(odd:ready().ready)
    assert.is_true(cluster.nodes[1]:ready().ready)
    for _, node in ipairs(cluster.nodes) do clusters.kill(node) end
    wait.wait_until(function() return odd:ready().ready end, 25, "it to be let in")
  end)
end)
