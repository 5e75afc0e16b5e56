-- What is due later is due when it was, however often the rules are reloaded meanwhile.

local rules = require "spec.support.rules"

local function text(version)
  return ([[
    local http, store, time = require "sluice.http", require "sluice.store", require "sluice.time"
    local watermark = require "sluice.watermark"
    local VERSION = "%s"
    local me = sluice.identity(function(req) return { user = "ann", data = { token = "t" } } end)
    local mine = app:topic("user:{user}", { history = { size = 8, ttl = 300 } })
    local feed = app:upstream("feed", { key = function(sub) return sub.user end, topic = mine, idle = 86400,
      request = function() return { url = "http://feed.test/events" } end })
    local read = watermark.new(app, "read", { wait = 0.5, backoff = { min = 30, max = 60 },
      post = function(_, _, _, row) http.post("http://app.test/read", { json = { row = row } }):expect(204) end })
    feed:on("note", function(ev)
      read:advance(ev.key, "bob", tonumber(ev.data))
      mine(ev.key):emit("note", VERSION .. " " .. ev.data, { replaces = "x", within = 200 })
    end)
    app:stream("events", { path = "/events", identity = me, upstreams = { feed }, lifetime = 7200,
      topics = function(_, sub) return mine(sub.user) end })
    app:route("open", "POST /open", { identity = me, run = function(req)
      read:open(req.user, req.tag, "bob", 0)
      return 204
    end })
    app:every("hourly", { period = 3600, run = function()
      store.set("at", (store.get "at" or "") .. VERSION .. "@" .. math.floor(os.time() - store.get "begun") .. " ")
    end })
    app:route("begin", "POST /begin", { run = function() store.set("begun", os.time()) return 204 end })
    app:route("at", "GET /at", { run = function() return 200, store.get "at" or "" end })]]):format(version)
end

describe("under a reload every minute", function()
  local world

  before_each(function()
    world = rules.load(text "v0")
    world:request("POST", "/begin")
  end)
  after_each(function() world:close() end)

  local function minutes(from, to)
    for minute = from, to do
      world:advance(60)
      rules.reload(world, text("v" .. minute))
    end
  end

  it("a timer that is due once an hour fires on time, in the rules of the day", function()
    minutes(1, 181)
    assert.equal("v59@3600 v119@7200 v179@10800 ", world:request("GET", "/at").body)
  end)

  it("a watermark that could not be told is told again, with the highest row, and once", function()
    local tab = world:connect "/events"
    world:reply("POST /read", { status = 204 })
    tab:post "/open"
    world:reply("POST /read", { status = 503 })
    world:upstream("feed", "ann"):send("note", "7")
    world:advance(0.6)
    world:upstream("feed", "ann"):send("note", "8")
    local failed = #world:requests "POST /read"
    minutes(1, 3)
    assert.is_true(#world:requests "POST /read" > failed)
    world:reply("POST /read", { status = 204 })
    minutes(4, 6)
    local posts = world:requests "POST /read"
    assert.equal(8, posts[#posts].json.row)
    minutes(7, 12)
    assert.equal(#posts, #world:requests "POST /read")
  end)

  it("a coalescing window ends when it would have, with the newest trigger", function()
    local tab = world:connect "/events"
    world:upstream("feed", "ann"):send("note", "1")
    world:advance(0.6)
    minutes(1, 1)
    world:upstream("feed", "ann"):send("note", "2")
    minutes(2, 3)
    assert.same({}, tab:types())
    world:advance(20.5)
    assert.same({ "note" }, tab:types())
    assert.equal("v1 2", tab:events()[2].data)
    minutes(4, 8)
    assert.same({ "note" }, tab:types())
  end)

  it("a stream's lifetime ends it within its last fifth", function()
    local tab = world:connect "/events"
    minutes(1, 95)
    assert.is_true(tab:is_open())
    minutes(96, 121)
    assert.same({ false, "lifetime" }, { tab:is_open(), tab.why })
  end)
end)
