-- Many who come and go at once: in one turn, on their way in, in the middle of a long fan-out. Afterwards
-- leases equal subscribers, and everybody's record is what it should be.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("many at once", function()
  local world

  local function connect(user, options)
    options = options or {}
    options.headers = options.headers or {}
    options.headers["x-user"] = user
    return world:connect("/events", options)
  end

  local function emit(words) world:request("POST", "/emit", { body = words }) end
  local function words(tab) return table.concat(seen.data(tab, "word"), " ") end

  local function assert_even()
    local leases = 0
    for _, link in ipairs(world:links()) do leases = leases + link.leases end
    assert.equal(world:counters().subscribers, leases)
    assert.equal(world:counters().streams, leases)
  end

  local function assert_nothing_left()
    world:advance(10.1)
    assert.same({}, world:links())
    assert.equal(0, world:counters().streams)
  end

  before_each(function()
    world = rig.load "spec/fixtures/crowd.lua"
    world:reply("GET /session", {})
  end)
  after_each(function() seen.close(world) end)

  it("come in one turn: one link a user, one lease a tab", function()
    world:together(function()
      for i = 1, 300 do connect("user" .. i % 30) end
    end)
    assert.equal(30, world:counters().links)
    for i = 0, 29 do assert.equal(10, world:upstream("feed", "user" .. i).leases) end
    assert_even()
  end)

  it("come and go in one turn", function()
    local tabs = {}
    world:together(function()
      for i = 1, 300 do tabs[i] = connect("user" .. i % 30) end
      for i = 1, 300, 2 do tabs[i]:cut() end
    end)
    assert.equal(150, world:counters().subscribers)
    assert_even()
    world:together(function()
      for i = 2, 300, 2 do tabs[i]:cut() end
      for i = 1, 300, 3 do tabs[i] = connect("user" .. i % 30) end
      for i = 1, 300, 3 do tabs[i]:cut() end
    end)
    assert_even()
    assert_nothing_left()
  end)

  it("take and leave one link: it stays one connection, and its grace begins with the last", function()
    connect("ann"):cut()
    local wire = world:upstream("feed", "ann").wire
    for _ = 1, 8 do
      world:together(function()
        local first, second = connect "ann", connect "ann"
        first:cut()
        connect("ann"):cut()
        second:cut()
      end)
      assert.equal(0, world:upstream("feed", "ann").leases)
      world:advance(9.9)
      assert.equal(wire, world:upstream("feed", "ann").wire)
    end
    world:advance(0.2)
    assert.same({}, world:links())
  end)

  it("are cut while it is asked who they are", function()
    local tabs, held = {}, world:hold "GET /session"
    for i = 1, 100 do tabs[i] = connect("user" .. i % 10, { headers = { ["x-slow"] = "1" } }) end
    assert.equal(100, world:counters().streams)
    for i = 1, 100, 2 do tabs[i]:cut() end
    assert.equal(50, world:counters().streams)
    world:together(function()
      for _ = 1, 100 do held:answer {} end
      for i = 2, 100, 4 do tabs[i]:cut() end
    end)
    assert.equal(25, world:counters().subscribers)
    assert_even()
  end)

  it("are cut and kicked in the turn in which they are emitted to", function()
    local tabs = {}
    for i = 1, 40 do tabs[i] = connect("user" .. i % 4) end
    world:together(function()
      emit "one"
      for i = 1, 40, 5 do tabs[i]:cut() end
      world:request("POST", "/kick", { body = "user2" })
      emit "two"
      for i = 1, 40, 5 do tabs[i] = tabs[i]:reconnect() end
    end)
    for i, tab in ipairs(tabs) do
      if i % 4 == 2 and i % 5 ~= 1 then
        assert.equal("kicked", tab.why)
        assert.equal("one", words(tab)) -- what was published before it was kicked
        tab = tab:reconnect()
        assert.equal("two", words(tab))
      else
        assert.equal("one two", words(tab))
      end
      assert.same({}, seen.resyncs(tab))
    end
    assert_even()
  end)

  describe("in the middle of a fan-out that yields", function()
    local COUNT = 1300 -- a round serves about 500
    local tabs

    before_each(function()
      tabs = {}
      world:together(function()
        for i = 1, COUNT do tabs[i] = connect("user" .. i % 50) end
      end)
    end)

    -- Emits, and does something after each round of the fan-out until it is through; returns the rounds.
    local function between(act)
      local rounds = 0
      world:together(function()
        emit "one two"
        while world:round() do
          rounds = rounds + 1
          act(rounds)
        end
      end)
      assert.is_true(rounds >= 3, rounds)
    end

    it("come without getting what they are too late for", function()
      local late = {}
      between(function(round)
        if round <= 3 then late[#late + 1] = connect("late" .. round) end
      end)
      emit "three"
      for _, tab in ipairs(tabs) do assert.equal("one two three", words(tab)) end
      for _, tab in ipairs(late) do assert.equal("three", words(tab)) end
      assert_even()
    end)

    it("go, and the others miss nothing", function()
      local gone = {}
      between(function(round)
        for i = round, COUNT, 7 do
          if not gone[i] and round <= 3 then
            gone[i] = true
            tabs[i]:cut()
          end
        end
      end)
      emit "three"
      for i, tab in ipairs(tabs) do
        if not gone[i] then assert.equal("one two three", words(tab)) end
      end
      assert_even()
    end)

    it("come back with their cursor: nothing lost, nothing doubled", function()
      between(function(round)
        for i = round, COUNT, 11 do
          if round <= 3 then
            local old = tabs[i]
            tabs[i] = old:reconnect()
            tabs[i].before = words(old)
          end
        end
      end)
      emit "three"
      for _, tab in ipairs(tabs) do
        local record = ((tab.before or "") .. " " .. words(tab)):match "^%s*(.*)$"
        assert.equal("one two three", record)
        assert.same({}, seen.resyncs(tab))
      end
      assert_even()
    end)

    it("are emitted to again: the order is everybody's", function()
      between(function(round)
        if round == 1 then emit "three" end
        if round == 2 then world:upstream("feed", "user1"):send("note", "for one") end
      end)
      for i, tab in ipairs(tabs) do
        assert.equal("one two three", words(tab))
        assert.same(i % 50 == 1 and { "for one" } or {}, seen.data(tab, "note"))
      end
    end)

    it("say no cursor that is ahead of what they were sent", function()
      local last = {}
      between(function(round)
        if round ~= 2 then return end
        for i, tab in ipairs(tabs) do
          tab:read()
          last[i] = { id = tab.last_id, had = words(tab) }
        end
      end)
      local behind = 0
      for i = 1, COUNT, 100 do
        if last[i].had == "" then behind = behind + 1 end
        local back = connect("user" .. i % 50, { last_event_id = last[i].id })
        assert.equal("one two", (last[i].had .. " " .. words(back)):match "^%s*(.-)%s*$")
      end
      assert.is_true(behind > 0)
    end)
  end)
end)
