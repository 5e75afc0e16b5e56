-- bench/rules.lua: what the benchmark asks of sluice. Every trigger's data is the 100-byte text that
-- came in, so that the send time in it comes out again.
local sluice = require "sluice"

local app   = sluice.app "bench"
local FEED  = sluice.env("FEED_URL", "http://127.0.0.1:8090")
local BURST = 200

-- Plain Lua: nothing here waits.
local visitor = sluice.identity(function(req)
  local user = req.query.user
  return user and { user = user } or nil
end)

local all = app:topic("all", {
  subscribe = function() return true end,
  history   = { size = 256, ttl = 60 },
})

local mine = app:topic("user:{user}", {
  subscribe = sluice.owner "user",
  history   = { size = 256, ttl = 60 },
})

local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  topic   = mine,
  request = function(key) return { url = FEED .. "/feed?user=" .. key } end,
})
feed:on("note", function(ev) mine(ev.key):emit("tick", ev:json().text) end)

-- A verdict of Lua for each subscriber; all are let in, so that verdicts can be counted by what arrives.
local filtered = app:topic("filtered", {
  subscribe = function() return true end,
  filter    = function(ev, sub) return ev.data ~= sub.user end,
  history   = { size = 256, ttl = 60 },
})

app:stream("all", { path = "/all", identity = visitor, topics = function() return all() end })

app:stream("events", {
  path     = "/events",
  identity = visitor,
  topics   = function(_, sub) return { all(), mine(sub.user) } end,
})

app:stream("own", { path = "/own", identity = visitor, topics = function(_, sub) return mine(sub.user) end })

app:stream("linked", {
  path      = "/linked",
  identity  = visitor,
  upstreams = { feed },
  topics    = function(_, sub) return mine(sub.user) end,
})

app:route("publish", "POST /publish", { run = function(req)
  all():emit("tick", req:json().text)
  return 204
end })

-- An audience that is asked once and then known for a minute.
local guarded = app:topic("guarded", {
  subscribe = function() return true end,
  audience  = { ttl = 60, ask = function() return true end },
  history   = { size = 256, ttl = 60 },
})

-- Who comes and goes is told to nobody, but known.
local attended = app:topic("attended", {
  subscribe = function() return true end,
  presence  = { grace = 0 },
})

local input = app:ingest("input", { path = "/input", authorize = sluice.bearer(sluice.env("INPUT_KEY", "bench")) })
input:on("tick", function(ev) all():emit("tick", ev:json().text) end)

app:stream("guarded", { path = "/guarded", identity = visitor, topics = function() return guarded() end })
app:stream("attended", {
  path     = "/attended",
  identity = visitor,
  topics   = function(_, sub) return { attended(), mine(sub.user) } end,
})

app:route("guard", "POST /guarded", { run = function(req)
  guarded():emit("tick", req:json().text)
  return 204
end })

app:stream("filtered", { path = "/filtered", identity = visitor, topics = function() return filtered() end })

app:route("filter", "POST /filtered", { run = function(req)
  filtered():emit("tick", req:json().text)
  return 204
end })

app:route("burst", "POST /burst", { run = function(req)
  local text = req:json().text
  for _ = 1, BURST do all():emit("tick", text) end
  return 204
end })

app:route("private", "POST /private/{user}", { run = function(req, params)
  mine(params.user):emit("tick", req:json().text)
  return 204
end })
