-- The link to an upstream, against a scripted one: shared, kept for a grace, reopened, resumed, refused.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local sse      = require "spec.support.sse"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "links"
local json = require "sluice.json"
local URL  = sluice.env "UPSTREAM"

local session = sluice.identity(function(req)
  local user, token = req.headers["x-user"], req.headers["x-token"]
  return user and { user = user, data = { token = token or "good" } }
end)
local mine = app:topic("user:{user}", { history = { size = 10 } })
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  topic   = mine,
  request = function(_, data)
    return { url = URL .. "/events", headers = { authorization = "Bearer " .. data.token, cookie = "c=1" } }
  end,
  grace = 0.5, backoff = { min = 0.05, max = 0.1 }, OPTIONS
})
app:stream("events", { path = "/events", identity = session, upstreams = { feed },
                       queue = { bytes = 4194304 }, topics = function(_, sub) return mine(sub.user) end })
feed:on("note", function(ev) mine(ev.key):emit("note", ev.data) end)
feed:on({ "@open", "@lost", "@unauthorized" }, function(ev) mine(ev.key):emit("life", ev.type .. " " .. ev.data) end)
]]

-- A server whose upstream is `source`; `options` are further options of app:upstream.
local function serve(source, options)
  return e2e.server { rules = (RULES:gsub("OPTIONS", options or "")), env = { UPSTREAM = source.url } }
end

local function connect(server, user, token)
  local tab = sse.open(server.address, { headers = { ["x-user"] = user or "ann", ["x-token"] = token } })
  tab:next "ready"
  return tab
end

-- What happened between the page and the first opening is unknown: a tab that comes before it gets one resync.
local function first_link(source, tab)
  local link = source:next()
  assert.matches('"reason":"upstream"', tab:next("resync").data)
  return link
end

-- Waits for the life event `type` and returns the rest of it.
local function life(tab, type)
  local data
  repeat data = tab:next("life", 10).data until data:find(type, 1, true)
  return data
end

describe("a link", function()
  it("is one for three tabs, and is closed a grace after the last of them", function()
    local source = upstream.open()
    local server = serve(source)
    local tabs   = { connect(server), connect(server), connect(server) }
    local link   = source:next()
    link:send("note", "to all three")
    for _, tab in ipairs(tabs) do assert.equal("to all three", tab:next("note").data) end
    for _, tab in ipairs(tabs) do tab:close() end
    wait.wait_until(function() return server:ready().subscribers == 0 end, 5, "the tabs to be gone")
    assert.equal(1, server:ready().links)
    local back = connect(server)
    wait.pass(0.7)
    link:send("note", "the same link")
    assert.equal("the same link", back:next("note").data)
    back:close()
    local closed_at = wait.now()
    link:wait_closed()
    assert.is_true(wait.now() - closed_at >= 0.45)
    assert.equal(1, #source.requests)
    wait.wait_until(function() return server:ready().links == 0 end, 5, "no link to be counted")
  end)

  it("comes back after a restart of the upstream, with its last id, and tells its tabs once", function()
    local source = upstream.open()
    local server = serve(source)
    local tab    = connect(server)
    first_link(source, tab):send("note", "before", "id-7")
    tab:next "note"
    source:stop()
    assert.matches('"retry":%d', life(tab, "@lost"))
    wait.pass(0.3)
    source:start()
    local link = source:next(10)
    assert.equal("id-7", link.request.headers["last-event-id"])
    assert.equal("text/event-stream", link.request.headers.accept)
    assert.matches('"reason":"upstream"', tab:next("resync").data)
    life(tab, "@open")
    link:send("note", "after", "id-8")
    assert.equal("after", tab:next("note").data)
    assert.same({ 2, 2 }, { tab:count "resync", tab:count "note" })
  end)

  it("tells no resync where the upstream is trusted to resume", function()
    local source = upstream.open()
    local server = serve(source, "resume = 'trust'")
    local tab    = connect(server)
    local link   = first_link(source, tab)
    link:send("note", "1", "a")
    tab:next "note"
    link:cut()
    link = source:next()
    assert.equal("a", link.request.headers["last-event-id"])
    link:send("note", "2", "b")
    assert.equal("2", tab:next("note").data)
    assert.equal(1, tab:count "resync")
  end)

  it("asks once more with the newest tab's data when it is not authorized, then tells the rules", function()
    local source = upstream.open(function(request)
      if request.headers.authorization == "Bearer old" then return "" end
      if request.headers.authorization == "Bearer bad" then return upstream.refusal(401) end
    end)
    local server = serve(source)
    connect(server, "ann", "old")
    local held = source:request(1)
    local tab  = connect(server, "ann", "new")
    held.conn:send(upstream.refusal(401))
    assert.equal("Bearer new", source:next().request.headers.authorization)
    assert.matches("^@open", tab:next("life").data)
    assert.equal(2, #source.requests)
    local bob = connect(server, "bob", "bad")
    assert.matches('"status":401', life(bob, "@unauthorized"))
    wait.pass(0.3)
    assert.equal(4, #source.requests)
    connect(server, "bob", "good")
    assert.equal("Bearer good", source:next().request.headers.authorization)
  end)

  it("waits as long as the upstream asks with 503 and Retry-After", function()
    local refused
    local source = upstream.open(function()
      if refused then return end
      refused = true
      return upstream.refusal(503, "Retry-After: 1\r\n")
    end)
    local server = serve(source)
    local tab = connect(server)
    assert.matches('"status":503.*"retry":1%.[01]', life(tab, "@lost"))
    source:next(10)
    assert.is_true(source.requests[2].at - source.requests[1].at >= 0.95)
  end)

  it("stops at 204 until somebody new comes", function()
    local stopped = true
    local source = upstream.open(function() if stopped then return upstream.refusal(204) end end)
    local server = serve(source)
    local tab = connect(server)
    assert.matches('"status":204.*"retry":null', life(tab, "@lost"))
    wait.pass(0.3)
    assert.equal(1, #source.requests)
    tab:close()
    stopped = false
    wait.wait_until(function() return server:ready().links == 0 end, 5, "the link to be gone")
    connect(server)
    source:next()
  end)

  it("follows redirects, and takes credentials along to the same origin only", function()
    local other  = upstream.open()
    local source
    source = upstream.open(function(request)
      if request.target == "/events" then return upstream.refusal(307, "Location: /moved\r\n") end
      if request.target == "/moved" then return upstream.refusal(302, "Location: " .. other.url .. "/there\r\n") end
    end)
    local server = serve(source)
    connect(server)
    local link = other:next()
    assert.same({ "/events", "/moved" }, { source.requests[1].target, source.requests[2].target })
    assert.equal("Bearer good", source.requests[2].headers.authorization)
    assert.equal("c=1", source.requests[2].headers.cookie)
    assert.equal("/there", link.request.target)
    assert.is_nil(link.request.headers.authorization)
    assert.is_nil(link.request.headers.cookie)
  end)

  it("takes at most five redirects, and none away from http", function()
    local source
    source = upstream.open(function()
      if #source.requests <= 6 then return upstream.refusal(302, "Location: /again\r\n") end
      if #source.requests == 7 then return upstream.refusal(302, "Location: ftp://127.0.0.1/\r\n") end
    end)
    local server = serve(source)
    local tab = connect(server)
    assert.matches("redirects: more than 5", life(tab, "@lost"))
    assert.matches("redirects: a redirect to what is not an http or https URL", life(tab, "@lost"))
    life(tab, "@open")
    local targets = {}
    for i, request in ipairs(source.requests) do targets[i] = request.target end
    assert.same({ "/events", "/again", "/again", "/again", "/again", "/again", "/events", "/events" }, targets)
  end)

  it("refuses what is no event stream", function()
    local source = upstream.open(function()
      return upstream.refusal(200, "Content-Type: text/html\r\n", "<p>Hello</p>")
    end)
    local server = serve(source)
    assert.matches("content type text/html, not text/event%-stream", life(connect(server), "@lost"))
    source:request(2)
  end)

  it("brings events of 1 MiB; a larger one than its limit is an error, and it reconnects", function()
    local source = upstream.open()
    local server = serve(source)
    local tab    = connect(server)
    local link   = first_link(source, tab)
    local data   = ("0123456789abcdef"):rep(65536)
    link:send("note", data)
    assert.is_true(tab:next("note", 10).data == data)
    link:send("note", data .. data)
    assert.matches("an event above %d+ bytes", life(tab, "@lost"))
    source:next():send("note", "small")
    assert.equal("small", tab:next("note").data)
    assert.equal(2, tab:count "resync")
  end)

  it("is taken for dead when it is silent for longer than `idle`; comments are no silence", function()
    local source = upstream.open()
    local server = serve(source, "idle = 0.4")
    local tab    = connect(server)
    local link   = source:next()
    for _ = 1, 8 do
      link.conn:send ": still here\n\n"
      wait.pass(0.1)
    end
    assert.equal(1, source:open_links())
    assert.matches("idle", life(tab, "@lost"))
    source:next()
    assert.equal(200, http.get(server.admin, "/health").status)
  end)
end)
