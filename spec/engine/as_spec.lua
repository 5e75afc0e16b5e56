-- Clients of the rig that say who they are: identity is not asked, all else is.

local rules = require "spec.support.rules"

local RULES = [[
local session = sluice.identity(function(req)
  if req.headers.cookie ~= "c=1" then return nil end
  return { user = "ann", data = { role = "guest" } }
end)
local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })
app:stream("events", { path = "/events", identity = session, topics = function(_, sub)
  return mine(sub.user)
end })
app:stream("open", { path = "/open", topics = function() return {} end })
app:route("say", "POST /say/{user}", { run = function(_, params)
  mine(params.user):emit("said", "said " .. params.user)
  return 204
end })
app:route("who", "GET /who", { identity = session, run = function(req)
  return { json = { user = req.user, role = req.data and req.data.role } }
end })
]]

describe("a client that says who it is", function()
  local world

  before_each(function() world = rules.load(RULES) end)
  after_each(function() world:close() end)

  it("is that user with these data, on streams and routes, and again when it comes back", function()
    local tab = world:connect("/events", { as = { user = "bob", data = { role = "admin" } } })
    assert.equal(200, tab.status)
    assert.same({ user = "bob", role = "admin" }, tab:get("/who").json)
    tab = tab:reconnect()
    assert.same({ user = "bob", role = "admin" }, tab:get("/who").json)
    assert.same({ user = "bob" }, world:request("GET", "/who", { as = { user = "bob" } }).json)
    assert.same({ user = "cid", role = "x" },
      world:request("GET", "/who", { as = { user = "cid", data = '{"role":"x"}' } }).json)
  end)

  it("is asked for everything but its identity", function()
    assert.equal(403, world:connect("/events?topic=user:ann", { as = { user = "bob" } }).status)
    assert.equal(200, world:connect("/events?topic=user:bob", { as = { user = "bob" } }).status)
    assert.equal(401, world:connect("/events").status)
    assert.equal(200, world:connect("/events", { cookie = "c=1" }).status)
    assert.equal(200, world:connect("/open", { as = { user = "bob" } }).status)
  end)

  it("has the topics that it names, if it names some, and is asked for none", function()
    local as = { user = "bob", topics = { "user:ann", "user:cid" } }
    local tab = world:connect("/events?topic=user:dan", { as = as })
    world:request("POST", "/say/ann") world:request("POST", "/say/bob") world:request("POST", "/say/dan")
    assert.same({ "said ann", "said dan" }, { tab:events()[2].data, tab:events()[3].data })
    assert.equal(3, #tab:events())
  end)

  it("says it in JSON, if in a text", function()
    assert.error_matches(function() world:connect("/events", { as = { user = "a", data = "{" } }) end, "no JSON")
  end)
end)
