-- spec/@APP@_spec.lua: what rules/@APP@.lua promises. `sluice spec` runs it: the core is the real one, time and the
-- network are played, so that ten seconds of waiting take none.
local rig = require "sluice.rig"

describe("@APP@", function()
  local world

  before_each(function()
    world = rig.load "rules/@APP@.lua"
    -- What the app's server answers. Whatever else the rules ask for fails the spec.
    world:reply("GET /session", function(request)
      local user = request.headers.cookie:match "user=(%l+)"
      if not user then return { status = 401 } end
      return { json = { user = user, token = "token-of-" .. user } }
    end)
  end)

  after_each(function()
    if world then world:close() end                        -- raises where anything is left over
  end)

  -- A tab of ann's, or of who is named.
  local function open(user, options)
    options = options or {}
    options.cookie = "user=" .. (user or "ann")
    return world:connect(options.path or "/@APP@/events", options)
  end

  it("tells every tab of the user, over one connection", function()
    open() open() open "bob"
    world:upstream("feed", "ann"):send("notice", { id = "7" })
    assert.same({
      { who = "tab 1", what = "ready" },
      { who = "tab 2", what = "ready" },
      { who = "tab 3", what = "ready" },
      { who = "tab 1", what = "notice-added" },
      { who = "tab 2", what = "notice-added" },
    }, world:journal("who", "what"))
    assert.equal(2, #world:links())                        -- ann's and bob's
  end)

  it("does not tell a tab what it said itself", function()
    local one, two = open(), open()
    assert.equal(204, one:post("/@APP@/notices/7/seen").status)
    assert.same({}, one:types())
    assert.same({ "notice-seen" }, two:types())
  end)

  it("refuses strangers and other people's topics", function()
    assert.equal(401, world:connect("/@APP@/events", { cookie = "" }).status)
    assert.equal(403, open("ann", { path = "/@APP@/events?topic=user:bob" }).status)
    world:reply("GET /session", { status = 500 })
    assert.equal(503, open().status)                       -- don't know is not no
  end)

  it("keeps the connection for ten seconds after the last tab", function()
    local tab = open()
    local feed = world:upstream("feed", "ann")
    tab:close()
    world:advance(9)
    assert.is_true(feed.open)
    world:advance(2)
    assert.is_false(feed.open)
  end)

  it("has tabs read again when the connection was lost", function()
    local tab = open()
    world:upstream("feed", "ann"):cut()
    world:advance(60)                                      -- it comes back on its own
    assert.same({ "resync" }, tab:types())
  end)
end)
