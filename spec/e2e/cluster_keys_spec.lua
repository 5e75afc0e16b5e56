-- What a cluster keeps in Redis goes by itself once no node lives: no key is there for ever.

local clusters = require "spec.support.cluster"
local http     = require "spec.support.http"
local redis    = require "spec.support.redis"
local sse      = require "spec.support.sse"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice    = require "sluice"
local watermark = require "sluice.watermark"
local app  = sluice.app "seen"
local who  = sluice.identity(function(req) return { user = req.query.user } end)
local room = app:topic("room", { history = { size = 10, ttl = 60 }, retain = true, presence = { grace = 1 } })
local page = app:topic("page", { presence = { grace = 1, beat = 30 } })
local bare = app:topic("bare", { history = { size = 10, ttl = 60 } })
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  request = function() return sluice.env "UPSTREAM" end,
})
feed:on("note", function(ev) room():emit("said", ev.data) end)
app:redis("outside", { url = sluice.env "REDIS", channel = "outside", topics = room }):on("message", function() end)
app:stream("events", { path = "/events", identity = who, upstreams = { feed },
                       topics = function() return { room(), page(), bare() } end })
local read = watermark.new(app, "read", { post = function() error "not now" end })
app:route("open", "POST /open", { identity = who, run = function(req)
  read:open(req.user, ("t"):rep(16), "bob", 3)
  return 204
end })
local input = app:ingest("in", { path = "/publish", authorize = false })
input:on("say", function(ev)
  room():emit("said", ev.data)
  bare():emit("said", ev.data)
  app:disconnect({ user = "somebody" }, { event = "bye" })
end)
]]

-- The seconds that each key has left; -1: no end.
local function lives(server)
  local left = {}
  for key in server:cli("KEYS", "*"):gmatch "[^\n]+" do left[key] = tonumber(server:cli("TTL", key)) end
  return left
end

local function endless(server)
  local names = {}
  for key, left in pairs(lives(server)) do
    if left == -1 then names[#names + 1] = key end
  end
  table.sort(names)
  return names
end

local KINDS = {
  "crowd:seen:has:", "crowd:seen:sessions", "crowd:seen:there:", "crowd:seen:who:", "crowd:seen:tabs:",
  "epoch", "kept:", "nodes", "order", "servers", "stream:", "tops:", "watermark:4:seen:read:pending",
  "watermark:4:seen:read:row:",
}

describe("a cluster's keys", function()
  local server, cluster, tab

  before_each(function()
    local source
    server, source = redis.start(), upstream.open()
    cluster = clusters.start { nodes = 2, rules = RULES, servers = { server }, errors = "not now",
                               env = { UPSTREAM = source.url, REDIS = server.url } }
    cluster:wait_ready()
    local one, two = cluster.nodes[1], cluster.nodes[2]
    tab = sse.open(one.address, { path = "/events?user=ann&tag=" .. ("t"):rep(16) })
    tab:next("ready", 5)
    assert.equal(204, http.post(one.address, "/open?user=ann", {}).status)
    assert.equal(200, http.post(two.address, "/publish", { json = { type = "say", data = "hi", id = "once" } }).status)
    tab:next("said", 5)
  end)

  it("all have an end", function()
    local function seen()
      local names = server:cli("KEYS", "*")
      for _, kind in ipairs(KINDS) do
        if not names:find("sluice:" .. kind, 1, true) then return false end
      end
      return true
    end
    wait.wait_until(seen, 5, "a key of each kind")
    wait.wait_until(function() return #endless(server) == 0 end, 5, "all keys to have an end")
    for _, node in ipairs(cluster.nodes) do clusters.kill(node) end
    assert.same({}, endless(server))
  end)

  it("are kept as long as a node lives", function()
    for key, left in pairs(lives(server)) do
      if key:find ":crowd:" and left > 3600 then server:cli("EXPIRE", key, 3600) end
    end
    wait.wait_until(function()
      for key, left in pairs(lives(server)) do
        if key:find ":crowd:" and left > 60 and left <= 3600 then return false end
      end
      return true
    end, 10, "the crowd's keys to be kept")
  end)
end)
