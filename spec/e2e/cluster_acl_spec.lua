-- docs/scale.md says what Sluice's Redis user must be allowed to do: as it stands there, it is enough, and no more.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local redis    = require "spec.support.redis"
local sse      = require "spec.support.sse"
local tree     = require "spec.support.tree"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice    = require "sluice"
local watermark = require "sluice.watermark"
local app  = sluice.app "seen"
local who  = sluice.identity(function(req) return { user = req.query.user } end)
local room = app:topic("room:{n}", { history = { size = 10, ttl = 60 }, retain = true, presence = { grace = 0 } })
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  request = function() return sluice.env "UPSTREAM" end,
})
feed:on("note", function(ev) room("1"):emit("said", ev.data) end)
app:stream("events", { path = "/events", identity = who, upstreams = { feed },
                       topics = function() return room "1" end })
local read = watermark.new(app, "read", { post = function() end })
app:route("open", "POST /open", { identity = who, run = function(req)
  read:open(req.user, "a tab of sixteen", "bob", 3)
  read:advance(req.user, "bob", 5)
  return 204
end })
local input = app:ingest("in", { path = "/publish", authorize = false })
input:on("say", function(ev) room("1"):emit("said", ev.data) end)
]]

local function serve(server, errors)
  return e2e.server { rules = RULES, env = { UPSTREAM = "http://127.0.0.1:9" }, errors = errors,
                      conf = ('redis = "redis://sluice:s3cret@%s"'):format(server.address) }
end

local function may(server, ...)
  server:cli("ACL", "SETUSER", "sluice", "reset", "on", ">s3cret", "~*", "&*", "+@all", ...)
end

local function wait_ready(node)
  wait.wait_until(function() return node:ready().ready end, 10, "a node to be ready")
end

describe("a Redis user that may do less", function()
  it("keeps the node out, with the name of the command, and lets it in when it may", function()
    local server = redis.start()
    may(server, "-xadd")
    local node, why = serve(server, "redis cannot be used"), nil
    wait.wait_until(function()
      why = node:ready().redis.servers[1].why
      return type(why) == "string"
    end, 10, "a reason")
    assert.matches("NOPERM its user may not XADD what begins with sluice", why)
    assert.equal("", server:cli("KEYS", "*"), "what was begun")
    server:cli("ACL", "SETUSER", "sluice", "+xadd")
    wait_ready(node)
  end)

  it("is said in the log, once in a while, in the words of Redis", function()
    local server = redis.start()
    may(server)
    local node = serve(server, "redis refuses publishes")
    wait_ready(node)
    server:cli("ACL", "SETUSER", "sluice", "-xadd")
    for number = 1, 3 do
      local answer = http.post(node.address, "/publish", { json = { type = "say", data = tostring(number) } })
      assert.equal(503, answer.status)
    end
    local log = node:log()
    assert.equal(1, select(2, log:gsub("redis refuses publishes", "")))
    assert.matches("can.t run this command", log:match "redis refuses publishes[^\n]*")
  end)
end)

describe("a Redis user as docs/scale.md has it", function()
  it("is enough for publishes, streams, resumes and links, and reaches nothing else", function()
    local line = tree.read("docs/scale.md"):match "\nACL SETUSER ([^\n]+)"
    local words = { "ACL", "SETUSER" }
    for word in line:gsub("PASSWORD", "s3cret"):gmatch "%S+" do words[#words + 1] = word end
    local server, source = redis.start(), upstream.open()
    server:cli(unpack(words))
    server:cli("SET", "another", "1")
    server:cli("ACL", "LOG", "RESET")
    local nodes = {}
    for number = 1, 2 do
      nodes[number] = e2e.server { rules = RULES, env = { UPSTREAM = source.url },
                                   conf = ('redis = "redis://sluice:s3cret@%s"'):format(server.address) }
    end
    local one, two = unpack(nodes)
    for _, node in ipairs(nodes) do wait_ready(node) end
    local tab = sse.open(two.address, { path = "/events?user=ann" })
    tab:next("ready", 5)
    source:next(15):send("note", "by link") -- in a new epoch nobody is granted a link for the length of a lease
    assert.equal("by link", tab:next("said", 5).data)
    local function publish()
      return http.post(one.address, "/publish", { json = { type = "say", id = "7", data = "hi" } })
    end
    local first, again = publish(), publish()
    assert.same({ 200, 200 }, { first.status, again.status })
    assert.equal("hi", tab:next("said", 5).data)
    assert.equal(204, http.post(one.address, "/open?user=ann").status)
    local cursor = tab.last_id()
    tab:close()
    assert.equal(200, http.post(two.address, "/publish", { json = { type = "say", data = "later" } }).status)
    local back = sse.open(one.address, { path = "/events?user=ann", last_event_id = cursor })
    back:next("ready", 5)
    assert.equal("later", back:next("said", 5).data)
    assert.equal("", server:cli("ACL", "LOG"), "what was refused")
    local function refused(...)
      local good, message = pcall(server.cli, server, "ACL", "DRYRUN", "sluice", ...)
      assert.is_true(good, message)
      assert.matches("no permissions", message, table.concat({ ... }, " "))
    end
    refused("GET", "another")
    refused("SET", "sluicebox", "1")
    refused("PUBLISH", "another", "1")
    refused("FLUSHALL")
    refused("KEYS", "*")
    refused("SCAN", "0")
    refused("CONFIG", "GET", "*")
    refused("ACL", "LIST")
  end)
end)
