-- The life of an upstream link: leases, grace, backoff, what answers mean, what is told.

local rig = require "sluice.rig"
local json = require "cjson.safe"

describe("an upstream link", function()
  local world

  local function connect(user, options)
    options = options or {}
    options.headers = { ["x-user"] = user, ["x-token"] = options.token }
    return world:connect("/events", options)
  end

  -- Types received, without the notices that the fixture emits about the link's life.
  local function types(tab)
    local list = {}
    for _, kind in ipairs(tab:types()) do
      if kind ~= "life" then list[#list + 1] = kind end
    end
    return list
  end

  local function life(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "life" then list[#list + 1] = json.decode(event.data) end
    end
    return list
  end

  before_each(function() world = rig.load "spec/fixtures/feed.lua" end)
  after_each(function() world:close() end)

  it("opens with the first lease, is shared by later ones, and closes after the last", function()
    assert.same({}, world:links())
    local first = connect "ann"
    local wire = world:upstream("feed", "ann").wire
    assert.is_true(world:upstream("feed", "ann").open)
    local second, third = connect "ann", connect "ann"
    assert.equal(wire, world:upstream("feed", "ann").wire)
    assert.equal(3, world:upstream("feed", "ann").leases)
    first:close()
    second:close()
    assert.equal(1, world:upstream("feed", "ann").leases)
    world:advance(60)
    assert.equal(wire, world:upstream("feed", "ann").wire)
    third:close()
    world:advance(10.1)
    assert.same({}, world:links())
  end)

  it("keeps one link per key", function()
    connect "ann"
    connect "bob"
    assert.equal(2, world:counters().links)
    world:upstream("feed", "ann"):send("note", "for ann")
    assert.same({ "note" }, types(world.tabs[1]))
    assert.same({}, types(world.tabs[2]))
  end)

  it("stays open for the grace period and not longer", function()
    local tab = connect "ann"
    tab:close()
    world:advance(9.9)
    assert.is_true(world:upstream("feed", "ann").open)
    world:advance(0.2)
    assert.is_false(world:upstream("feed", "ann").open)
  end)

  it("stays open when a tab comes back within the grace period", function()
    local tab = connect "ann"
    local wire = world:upstream("feed", "ann").wire
    tab:close()
    world:advance(9.9)
    connect "ann"
    world:advance(30)
    assert.equal(wire, world:upstream("feed", "ann").wire)
  end)

  it("does not reopen what is lost within the grace period, until a tab comes back", function()
    local tab = connect "ann"
    tab:close()
    world:advance(1)
    world:upstream("feed", "ann"):cut()
    world:advance(5)
    assert.is_nil(world:upstream("feed", "ann").wire)
    connect "ann"
    world:advance(31)
    assert.is_true(world:upstream("feed", "ann").open)
  end)

  it("comes back with backoff, Last-Event-ID and one resync", function()
    local tab = connect "ann"
    world:upstream("feed", "ann"):send("note", "one", { id = "id-1" })
    world:upstream("feed", "ann"):cut()
    assert.is_nil(world:upstream("feed", "ann").wire)
    assert.equal("waiting", world:upstream("feed", "ann").state)
    world:advance(1.1)
    assert.equal("id-1", world:upstream("feed", "ann").last_event_id)
    assert.same({ "note", "resync" }, types(tab))
    assert.equal("upstream", json.decode(tab:events()[#tab:events() - 1].data).reason)
  end)

  it("waits longer with each failure, at random, and never longer than the bound", function()
    world:reply("GET /events", { status = 500 })
    connect "ann"
    world:advance(600)
    local waits = {}
    for _, event in ipairs(life(world.tabs[1])) do
      if event.what == "@lost" then waits[#waits + 1] = event.data.retry end
    end
    assert.is_true(#waits > 20 and #waits < 300, #waits)
    local largest, smallest = 0, math.huge
    for _, wait in ipairs(waits) do
      largest, smallest = math.max(largest, wait), math.min(smallest, wait)
    end
    assert.is_true(largest <= 30 and largest > 15, largest)
    assert.is_true(smallest < 10, smallest)
    world:reply("GET /events", { status = 200 })
    world:advance(31)
    assert.is_true(world:upstream("feed", "ann").open)
  end)

  it("takes retry: as the smallest of its waits", function()
    local tab = connect "ann"
    world:upstream("feed", "ann"):raw "retry: 20000\n\n"
    world:upstream("feed", "ann"):cut()
    for _, event in ipairs(life(tab)) do
      if event.what == "@lost" then assert.is_true(event.data.retry <= 30, event.data.retry) end
    end
    world:advance(31)
    assert.is_true(world:upstream("feed", "ann").open)
  end)

  it("stops at 204 until the user comes anew", function()
    world:reply("GET /events", { status = 204 })
    local tab = connect "ann"
    world:advance(300)
    assert.equal("stopped", world:upstream("feed", "ann").state)
    world:reply("GET /events", { status = 200 })
    local second = connect "ann"
    assert.equal("stopped", world:upstream("feed", "ann").state)
    tab:close()
    second:close()
    connect "ann"
    assert.is_true(world:upstream("feed", "ann").open)
  end)

  it("tries the newest tab's token once after a 401, then tells the rules", function()
    local first = connect("ann", { token = "old" })
    world:reply("GET /events", { status = 401 })
    connect("ann", { token = "new" })
    world:upstream("feed", "ann"):cut()
    world:advance(2)
    local seen = life(first)
    assert.equal("@unauthorized", seen[#seen].what)
    assert.equal("stopped", world:upstream("feed", "ann").state)
    world:advance(300)
    assert.is_nil(world:upstream("feed", "ann").wire)
  end)

  it("opens with the most recently authenticated token", function()
    connect("ann", { token = "old" })
    connect("ann", { token = "new" })
    assert.equal("Bearer old", world:upstream("feed", "ann").headers.authorization)
    world:upstream("feed", "ann"):cut()
    world:advance(2)
    assert.equal("Bearer new", world:upstream("feed", "ann").headers.authorization)
  end)

  for _, status in ipairs { 429, 503 } do
    it("honours Retry-After of a " .. status, function()
      world:reply("GET /events", { status = status, retry_after = 20 })
      connect "ann"
      world:reply("GET /events", { status = 200 })
      world:advance(19.9)
      assert.is_false(world:upstream("feed", "ann").open)
      world:advance(15)
      assert.is_true(world:upstream("feed", "ann").open)
    end)
  end

  it("takes any other content type for a failure", function()
    world:reply("GET /events", { status = 200, content_type = "text/html" })
    connect "ann"
    assert.is_false(world:upstream("feed", "ann").open)
    world:reply("GET /events", { status = 200, content_type = "text/event-stream;charset=utf-8" })
    world:advance(3)
    assert.is_true(world:upstream("feed", "ann").open)
  end)

  it("takes a silent upstream for dead, and a comment for life", function()
    connect "ann"
    local wire = world:upstream("feed", "ann").wire
    for _ = 1, 3 do
      world:advance(80)
      world:upstream("feed", "ann"):comment()
    end
    assert.equal(wire, world:upstream("feed", "ann").wire)
    world:advance(95)
    assert.are_not.equal(wire, world:upstream("feed", "ann").wire)
  end)

  it("tells those who came before its first opening", function()
    local held = world:hold "GET /events"
    local early = connect "ann"
    held:answer {}
    local late = connect "ann"
    assert.same({ "resync" }, types(early))
    assert.same({}, types(late))
  end)

  it("tells those, too, who came before its first opening and are back behind it", function()
    local held  = world:hold "GET /events"
    local early = connect "ann"
    early:close()
    held:answer {}
    assert.same({ "resync" }, types(early:reconnect()))
  end)

  it("forwards a resync of the upstream to every tab of the user", function()
    local one, two, other = connect "ann", connect "ann", connect "bob"
    world:upstream("feed", "ann"):send("resync", "{}")
    assert.same({ "resync" }, types(one))
    assert.same({ "resync" }, types(two))
    assert.same({}, types(other))
  end)

  it("tells the user to re-read when a handler fails, and publishes nothing of it", function()
    local tab = connect "ann"
    world:upstream("feed", "ann"):send("broken", "x")
    world:upstream("feed", "ann"):send("note", "after")
    assert.same({ "resync", "note" }, types(tab))
    local lines, errors = world:log()
    assert.equal(1, errors)
    assert.truthy(lines:find("spec/fixtures/feed.lua:", 1, true), lines)
  end)

  it("brings thousands of lost links back spread out", function()
    world:close()
    world = rig.load("spec/fixtures/feed.lua", { link_rate = 100 })
    for i = 1, 1000 do connect("user" .. i) end
    world:advance(20)
    for i = 1, 1000 do world:upstream("feed", "user" .. i):cut() end
    local most, before = 0, 0
    for _ = 1, 40 do
      world:advance(0.5)
      local open = 0
      for _, link in ipairs(world:links()) do open = open + (link.state == "open" and 1 or 0) end
      most, before = math.max(most, open - before), open
    end
    assert.equal(1000, before)
    assert.is_true(most <= 155, most) -- the burst of 100 and half a second's worth
  end)
end)
