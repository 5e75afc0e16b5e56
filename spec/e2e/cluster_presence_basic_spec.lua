-- Presence of two nodes on one Redis: a user is there with the first stream on any of them and until the last one's
-- grace is over; rules hear of each change once, on one node; and any node says who is there.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local wait         = require "spec.support.wait"

local GRACE, DEAD, BEAT = 1, 10, 3 -- seconds; DEAD: CLUSTER_DEAD_MS

local RULES = ([[
local sluice = require "sluice"
local app = sluice.app "there"
local who = sluice.identity(function(req) return { user = req.headers["x-user"] } end)
local log = app:topic("log", { subscribe = false })
local function change(user, status) log():emit("change", user .. " " .. status) end
local room = app:topic("room", { subscribe = false, presence = { grace = %g, change = change } })
local live = app:topic("live", { subscribe = false, presence = { grace = %g, beat = %g, change = change } })
app:stream("events", { path = "/events", identity = who, topics = function() return room() end })
app:stream("lives", { path = "/live", identity = who, topics = function() return live() end })
app:stream("watch", { path = "/watch", topics = function() return log() end })
app:route("who", "GET /who", { run = function()
  local here = app:presence "room"
  local known, users, count, ann = pcall(function() return here:list(), here:count(), here:online "ann" end)
  if not known then return 503, users:match "presence:.*" end
  return 200, table.concat(users, " ") .. " " .. count .. (ann and "!" or "")
end })
app:route("beat", "POST /beat", { identity = who, run = function(req)
  return 200, tostring(app:presence "live":beat(req.user, req.tag))
end })
]]):format(GRACE, GRACE, BEAT)

local function begin(options)
  local redis = redis_server.start(options)
  local cluster = clusters.start { nodes = 2, rules = RULES, servers = { redis }, conf = 'redis_prefix = "there"',
                                   errors = "triggers were not published" } -- while Redis is away
  cluster:wait_ready()
  local watches = {}
  for i, node in ipairs(cluster.nodes) do
    watches[i] = sse.open(node.address, { path = "/watch" })
    watches[i]:next "ready"
  end
  return cluster.nodes, watches, redis
end

local function open(node, user, path, tag)
  local tab = sse.open(node.address, { path = (path or "/events") .. (tag and "?tag=" .. tag or ""),
                                       headers = { ["x-user"] = user } })
  tab:next "ready"
  return tab
end

local function who(node) return http.get(node.address, "/who").body end

local function assert_change(watches, expected, timeout)
  for _, watch in ipairs(watches) do assert.equal(expected, watch:next("change", timeout or 3).data) end
end

-- So many changes were told, and no more, on each node.
local function assert_changes(watches, count)
  for i, watch in ipairs(watches) do assert.equal(count, watch:count "change", "node " .. i) end
end

describe("presence of a cluster", function()
  it("tells a user's first stream and the last one's end, once", function()
    local nodes, watches = begin()
    local one = open(nodes[1], "ann")
    assert_change(watches, "ann online")
    local two = open(nodes[2], "ann")
    open(nodes[2], "bob")
    assert_change(watches, "bob online")
    for _, node in ipairs(nodes) do assert.equal("ann bob 2!", who(node)) end
    one:close()
    wait.pass(GRACE + 1.5)
    assert.equal("ann bob 2!", who(nodes[1]))
    two:close()
    local left = wait.now()
    assert_change(watches, "ann offline")
    assert.is_true(wait.now() - left >= GRACE - 0.05)
    assert.is_true(wait.now() - left <= (GRACE + 0.5) * wait.patience)
    for _, node in ipairs(nodes) do assert.equal("bob 1", who(node)) end
    wait.pass(2.5)
    assert_changes(watches, 3)
    local told = 0
    for _, node in ipairs(nodes) do told = told + node:metric 'sluice_presence_changes_total{app="there"}' end
    assert.equal(3, told)
    assert.equal(1, nodes[2]:metric 'sluice_presence_online{app="there"}')
  end)

  it("finds the users of a node that was killed, and not before its time", function()
    local nodes, watches = begin()
    open(nodes[1], "ann")
    assert_change({ watches[2] }, "ann online")
    open(nodes[1], "bob")
    assert_change({ watches[2] }, "bob online")
    open(nodes[2], "bob")
    clusters.kill(nodes[1])
    local killed = wait.now()
    assert_change({ watches[2] }, "ann offline", DEAD + GRACE + 3)
    assert.is_true(wait.now() - killed >= DEAD - 1 + GRACE - 0.1, wait.now() - killed)
    assert.equal("bob 1", who(nodes[2]))
    assert_changes({ watches[2] }, 3)
  end)

  for _, case in ipairs { { "forgets everything", "flush" }, { "is restarted", "restart" } } do
    it("stays what it is when Redis " .. case[1], function()
      local nodes, watches, redis = begin { appendonly = case[2] == "restart" }
      local one = open(nodes[1], "ann")
      assert_change(watches, "ann online")
      local two = open(nodes[2], "bob")
      assert_change(watches, "bob online")
      open(nodes[1], "cid")
      assert_change(watches, "cid online")
      if case[2] == "flush" then
        redis:flush()
      else
        redis:stop()
        two:close() -- while it is away
        redis:start()
      end
      local function again() return who(nodes[2]):find "ann.*cid" and who(nodes[1]):find "ann.*cid" end
      wait.wait_until(again, 10, "all to be there again")
      if case[2] == "flush" then two:close() end
      open(nodes[2], "ann")
      one:close()
      assert_change(watches, "bob offline", DEAD + GRACE + 8)
      assert.equal("ann cid 2!", who(nodes[1]))
      assert_changes(watches, 4)
    end)
  end

  it("counts a beat that comes to another node", function()
    local nodes, watches = begin()
    local function beat(user, tag)
      return http.request(nodes[2].address, { method = "POST", path = "/beat",
        headers = { ["x-user"] = user, ["x-session-tag"] = tag } }).body
    end
    open(nodes[1], "ann", "/live", "ann-has-this-tab")
    assert.equal("false", beat "bob")
    assert.equal("false", beat("ann", "ann-has-no-such-tab"))
    assert_changes(watches, 0)
    assert.equal("true", beat("ann", "ann-has-this-tab"))
    assert_change(watches, "ann online")
    wait.pass(BEAT - 1)
    assert.equal("true", beat "ann")
    local beaten = wait.now()
    assert_change(watches, "ann offline", BEAT + 2)
    assert.is_true(wait.now() - beaten >= BEAT - 0.1)
  end)

  it("says that it does not know while Redis is away", function()
    local nodes, watches = begin()
    open(nodes[1], "ann")
    assert_change(watches, "ann online")
    clusters.cut(nodes[1])
    wait.wait_until(function() return http.get(nodes[1].address, "/who").status == 503 end, 15, "an answer")
    assert.equal("presence:list: away: the Redis server is away", who(nodes[1]))
    assert.equal("ann 1!", who(nodes[2]))
    clusters.mend(nodes[1])
    wait.wait_until(function() return who(nodes[1]) == "ann 1!" end, 15, "it to be back")
  end)
end)
