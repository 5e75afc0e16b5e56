-- Roles: who is nobody is to sign in, who is somebody may not; and no error is either.

local rules = require "spec.support.rules"

local RULES = [[
local http = require "sluice.http"
local session = sluice.identity(function(req)
  local answer = http.get "http://app.test/session"
  if answer.status == 401 then return nil end
  if answer.status == 403 then return nil, "forbidden" end
  return answer:expect(200):json()
end)
local roles = sluice.roles { "viewer", "editor", "admin" }
local all = app:topic("all", { subscribe = false })
app:stream("events", { path = "/events", identity = roles:at_least("viewer", session),
  topics = function() return all() end })
app:route("edit", "GET /edit", { identity = roles:at_least("editor", session), run = function(req)
  return 200, req.user .. " " .. req.data.role
end })
app:route("plain", "GET /plain", { identity = session, run = function() return 204 end })
app:route("function", "GET /function", { run = function() return 204 end,
  identity = roles:at_least("admin", function(req)
    return { user = "f", data = { role = req.headers["x-role"] } }
  end) })
]]

describe("roles", function()
  local world

  before_each(function() world = rules.load(RULES) end)
  after_each(function()
    world:log()
    world:close()
  end)

  local function status(path)
    if path == "/events" then return world:connect(path).status end
    return world:request("GET", path).status
  end

  local function is(role) world:reply("GET /session", { json = { user = "ann", data = { role = role } } }) end

  it("let in who has the role or a higher one, and forbid who has a lower one", function()
    local expected = { viewer = { 200, 403 }, editor = { 200, 200 }, admin = { 200, 200 } }
    for role, statuses in pairs(expected) do
      is(role)
      assert.same(statuses, { status "/events", status "/edit" })
    end
    assert.equal("ann admin", (function() is "admin" return world:request("GET", "/edit").body end)())
  end)

  it("forbid who has none, or one that is none of them, or no data at all", function()
    for _, who in ipairs { { user = "ann" }, { user = "ann", data = {} }, { user = "ann", data = { role = 3 } },
      { user = "ann", data = { role = "Admin" } }, { user = "ann", data = { role = "at_least" } } } do
      world:reply("GET /session", { json = who })
      assert.same({ 403, 403 }, { status "/events", status "/edit" })
    end
  end)

  it("ask nobody to sign in but who is nobody, and say the code", function()
    world:reply("GET /session", { status = 401 })
    assert.same({ 401, 401 }, { status "/events", status "/edit" })
    is "viewer"
    assert.truthy(world:request("GET", "/edit").body:find('"code":"forbidden"', 1, true))
  end)

  it("know no refusal where the identity fails", function()
    world:reply("GET /session", { status = 500 })
    assert.same({ 503, 503 }, { status "/events", status "/edit" })
    world:reply("GET /session", { json = { "ann" } })
    assert.same({ 403, 503 }, { status "/edit", status "/plain" }) -- no role; no identity
  end)

  it("call the identity once", function()
    is "admin"
    status "/events"
    assert.equal(1, #world:requests "GET /session")
  end)

  it("take a plain function, too", function()
    assert.equal(204, world:request("GET", "/function", { headers = { ["x-role"] = "admin" } }).status)
    assert.equal(403, world:request("GET", "/function", { headers = { ["x-role"] = "viewer" } }).status)
  end)

  it("are not needed to forbid: an identity may say so itself", function()
    world:reply("GET /session", { status = 403 })
    assert.same({ 403, 403, 403 }, { status "/events", status "/edit", status "/plain" })
  end)
end)

describe("an identity's second value", function()
  it("that is anything but \"forbidden\" is no refusal but a failure", function()
    local world = rules.load [[
      app:route("r", "GET /r", { identity = function() return nil, "timeout", "it took too long" end,
        run = function() return 204 end })]]
    assert.equal(503, world:request("GET", "/r").status)
    local lines = world:log()
    assert.truthy(lines:find("must return nil alone, or nil and", 1, true), lines)
    world:close()
  end)
end)
