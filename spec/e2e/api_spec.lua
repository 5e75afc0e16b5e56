-- The admin listener's JSON: what is there at the moment, in pages, and ending somebody's streams.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local sse      = require "spec.support.sse"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "listed"
local who = sluice.identity(function(req)
  return req.query.user and { user = req.query.user, data = { token = "secret-" .. req.query.user } }
end)
local mine = app:topic("user:{user}", { subscribe = sluice.owner "user", history = { size = 300, ttl = 60 } })
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  request = function(key, data) return { url = sluice.env "UPSTREAM", headers = { authorization = data.token } } end,
})
feed:on("note", function() end)
app:stream("events", { path = "/events", identity = who, topics = function(req, sub) return mine(sub.user) end })
app:stream("linked", { path = "/linked", identity = who, upstreams = { feed },
                       topics = function(req, sub) return mine(sub.user) end })
app:route("say", "POST /say/{user}", { run = function(_, params) mine(params.user):emit("said") return 204 end })
]]

local OTHER = [[
local app = require("sluice").app "other"
local all = app:topic("all", { subscribe = false })
app:stream("all", { path = "/all", topics = function() return all() end })
]]

local CHANGES = { headers = { ["X-Sluice-Admin"] = "1" } }

describe("the admin listener's API", function()
  local server
  local function get(path)
    local answer = http.get(server.admin, path)
    assert.equal(200, answer.status, path)
    return answer.json(), answer.body
  end
  local function open(path)
    local tab = sse.open(server.address, { path = path })
    tab:next "ready"
    return tab
  end

  before_each(function()
    server = e2e.server { rules = { ["a.lua"] = RULES, ["b.lua"] = OTHER }, env = { UPSTREAM = upstream.open().url } }
  end)

  it("lists apps, topics, subscribers and links, and no token", function()
    open "/linked?user=ann&tag=0123456789abcdef"
    open "/events?user=ann"
    open "/all"
    http.post(server.address, "/say/ann")
    wait.wait_until(function() return get("/api/links").items[1].state == "open" end)
    local apps = get "/api/apps"
    assert.same({ "listed", "other" }, { apps.items[1].app, apps.items[2].app })
    local listed = apps.items[1]
    assert.same({ 2, 1, 1, 1 }, { listed.subscribers, listed.users, listed.topics, listed.triggers })
    assert.same({ { name = "events", method = "GET", path = "/events" },
                  { name = "linked", method = "GET", path = "/linked" } }, listed.streams)
    local topics = get "/api/topics"
    assert.same({ { app = "listed", topic = "user:ann", subscribers = 2, history = 1 },
                  { app = "other", topic = "all", subscribers = 1, history = 0 } }, topics.items)
    local links = get "/api/links"
    assert.same({ { app = "listed", upstream = "feed", key = "ann", state = "open", leases = 1, held = true } },
                links.items)
    local all, body = get "/api/subscribers"
    assert.equal(3, #all.items)
    assert.is_nil(body:find "secret")
    local first = all.items[1]
    assert.is_true(math.abs(first.since - os.time()) < 5 * wait.patience)
    first.since = nil
    assert.same({ app = "listed", user = "ann", tag = "0123456789abcdef", stream = "linked", queued = 0,
                  topic_count = 1, topics = { "user:ann" } }, first)
    assert.equal(2, #get("/api/subscribers?user=ann").items)
    assert.equal(0, #get("/api/subscribers?user=bob").items)
    assert.equal(1, #get("/api/subscribers?app=other").items)
  end)

  it("gives pages, which together have everybody once", function()
    for i = 1, 25 do open("/events?user=u" .. i) end
    open "/all"
    local seen, from, pages = {}, 0, 0
    repeat
      local page = get("/api/subscribers?limit=10&from=" .. from)
      assert.is_true(#page.items <= 10)
      for _, item in ipairs(page.items) do
        local name = type(item.user) == "string" and item.user or item.app
        assert.is_nil(seen[name], name .. " is there twice")
        seen[name] = true
      end
      from, pages = page.next, pages + 1
    until type(from) ~= "number"
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.same({ 26, 3 }, { count, pages })
    for _, wrong in ipairs { "limit=0", "limit=1001", "limit=x", "from=-1", "app=%zz" } do
      assert.equal(400, http.get(server.admin, "/api/subscribers?" .. wrong).status, wrong)
    end
  end)

  it("ends a user's streams, or one tab's, and nobody else's", function()
    local first  = open "/events?user=ann&tag=0123456789abcdef"
    local second = open "/events?user=ann&tag=fedcba9876543210"
    local other = open "/events?user=bob"
    local function disconnect(query) return http.post(server.admin, "/api/disconnect" .. query, CHANGES) end
    assert.equal(403, http.post(server.admin, "/api/disconnect?user=ann").status)
    assert.equal(400, disconnect("").status)
    for _, broken in ipairs { "tag=%zz", "tag=%00", "app=%", "%zz=1" } do
      assert.equal(400, disconnect("?user=ann&" .. broken).status, broken)
    end
    assert.equal(0, disconnect("?user=nobody").json().disconnected)
    assert.equal(0, disconnect("?user=ann&app=other").json().disconnected)
    assert.equal(0, disconnect("?user=ann&tag=00000000000000zz").json().disconnected)
    assert.equal(1, disconnect("?user=ann&tag=0123456789abcdef").json().disconnected)
    first:wait_end()
    assert.equal(1, disconnect("?user=ann").json().disconnected)
    second:wait_end()
    assert.is_falsy(other.ended)
    assert.equal(2, server:metric 'sluice_streams_ended_total{reason="kicked"}')
  end)
end)
