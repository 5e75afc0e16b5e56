-- "Why did ann not get it?": what became of triggers, as explain tells it afterwards.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"
local tree = require "spec.support.tree"

local ANN = { ["x-user"] = "ann" }
local TAG = ("t"):rep(20)

describe("explain", function()
  local world

  local function load(name, options) world = rig.load("spec/fixtures/" .. name .. ".lua", options) end

  local function connect(options)
    options = options or {}
    options.headers = options.headers or ANN
    return world:connect(options.path or "/events", options)
  end

  local function emit(items, options)
    options = options or {}
    local sent = { headers = options.headers or { ["x-user"] = "carl" }, json = items, tag = options.tag }
    assert.equal(204, world:request("POST", options.path or "/emit", sent).status)
  end

  local function ask(query) return assert(world:explain(query)).apps[1] end

  local function who(trigger, user)
    local list = {}
    for _, one in ipairs(trigger.who) do
      if one.user == (user or "ann") then list[#list + 1] = one.outcome end
    end
    return table.concat(list, ", ")
  end

  -- What the oldest trigger of this data came to, for ann.
  local function fate(query, data)
    for _, trigger in ipairs(ask(query).triggers) do
      if trigger.data == data then return who(trigger) end
    end
    error("no trigger with the data " .. data)
  end

  after_each(function() seen.close(world) end)

  -- How each outcome comes about; what it then is for ann of the trigger "1".
  local cases = {
    delivered = function()
      load "hall"
      connect()
      emit { { "n", "1" } }
      return { topic = "room:all" }
    end,

    replayed = function()
      load "hall"
      local tab = connect()
      tab:cut()
      emit { { "n", "1" } }
      assert.same({ "1" }, seen.data(tab:reconnect(), "n"))
      return { topic = "room:all" }
    end,

    waiting = function()
      load "hall"
      connect():stall()
      emit { { "n", "1" } }
      return { topic = "room:all" }
    end,

    pending = function()
      load "filter"
      world:hold "GET /may/ann"
      connect()
      emit { { "ask 1" } }
      return { topic = "guarded" }, "ask 1"
    end,

    denied = function()
      load "filter"
      connect()
      emit { { "no 1" } }
      return { topic = "guarded" }, "no 1"
    end,

    withheld = function()
      load "filter"
      connect()
      emit { { "raises 1" } }
      world:log()
      return { topic = "guarded" }, "raises 1"
    end,

    echo = function()
      load "hall"
      connect { tag = TAG }
      emit({ { "n", "1" } }, { headers = ANN, tag = TAG })
      return { topic = "room:all" }
    end,

    replaced = function()
      load "hall"
      connect():stall()
      emit { { "n", "1", { replaces = "k" } } }
      emit { { "n", "2", { replaces = "k" } } }
      return { topic = "room:all" }
    end,

    lagged = function()
      load "hall"
      connect { path = "/narrow" }:stall()
      for i = 1, 9 do emit { { "n", tostring(i) } } end
      return { topic = "room:all" }
    end,

    later = function()
      load "hall"
      emit { { "n", "1" } }
      connect()
      return { topic = "room:all" }
    end,

    absent = function()
      load "hall"
      connect { path = "/events?room=other" }
      emit { { "n", "1" } }
      return { topic = "room:all", user = "ann" }
    end,

    unknown = function()
      load("filter", { explain_decisions = 2 })
      connect()
      emit { { "yes 1" } }
      emit { { "no" }, { "no" }, { "no" } }
      return { topic = "guarded" }, "yes 1"
    end,
  }

  describe("says of a trigger that it was", function()
    load "hall"
    local names = world.core:fates()
    seen.close(world)

    for _, name in ipairs(names) do
      it(name, function()
        assert(cases[name], "there is no case for the outcome " .. name)
        local query, data = cases[name]()
        assert.equal(name, fate(query, data or "1"))
      end)

      it(name .. ", which docs/rules.md explains", function()
        load "hall"
        assert.truthy(tree.read("docs/rules.md"):find("\n| `" .. name .. "` | ", 1, true))
      end)
    end
  end)

  describe("of many subscribers", function()
    it("counts each outcome, and names those first that did not get it", function()
      load "filter"
      for i = 1, 60 do connect { headers = { ["x-user"] = "u" .. i } } end
      emit { { "only u7" } }
      local trigger = ask { topic = "guarded" }.triggers[1]
      assert.same({ delivered = 1, denied = 59 }, trigger.outcomes)
      assert.equal(60, trigger.subscribers)
      assert.equal(50, #trigger.who)
      assert.equal("denied", trigger.who[1].outcome)
      assert.equal("", who(trigger, "u7"))
      assert.equal("delivered", who(ask { topic = "guarded", user = "u7" }.triggers[1], "u7"))
    end)

    it("only counts those that are gone", function()
      load "filter"
      local ann = connect()
      connect { headers = { ["x-user"] = "bob" } }
      emit { { "no" } }
      ann:close()
      local trigger = ask { topic = "guarded" }.triggers[1]
      assert.same({ denied = 1 }, trigger.outcomes)
      assert.equal(1, trigger.gone)
      assert.equal(2, trigger.subscribers)
    end)
  end)

  it("does not take newcomers for the subscribers whose memory they have", function()
    load "filter"
    local tabs = {}
    world:reply("GET /may/ann", { status = 403 })
    for i = 1, 30 do tabs[i] = connect() end
    emit { { "ask 1" } }
    assert.same({ denied = 30 }, ask { topic = "guarded" }.triggers[1].outcomes)
    world:reply("GET /may/ann", { status = 200 })
    for _, tab in ipairs(tabs) do tab:cut() end
    for _, tab in ipairs(tabs) do tab:reconnect() end
    assert.same({ replayed = 30 }, ask { topic = "guarded" }.triggers[1].outcomes)
  end)

  it("claims nothing of what is older than the decisions that are kept", function()
    load("filter", { explain_decisions = 4 })
    connect()
    for i = 1, 6 do emit { { "no " .. i }, { "yes " .. i } } end
    assert.equal("unknown", fate({ topic = "guarded", last = 20 }, "no 1"))
    assert.equal("unknown", fate({ topic = "guarded", last = 20 }, "yes 1"))
    assert.equal("denied", fate({ topic = "guarded", last = 20 }, "no 3"))
    assert.equal("delivered", fate({ topic = "guarded", last = 20 }, "yes 3"))
  end)

  it("keeps no more triggers than it is told to, and says since when", function()
    load("hall", { explain_triggers = 3 })
    local tab = connect()
    local first
    for i = 1, 5 do
      emit { { "n", tostring(i) } }
      first = first or tab.last_id
      world:advance(1)
    end
    local answer = ask { topic = "room:all" }
    assert.equal(3, #answer.triggers)
    assert.equal("5", answer.triggers[1].data)
    assert.equal(answer.triggers[3].at, answer.since)
    assert.same({ nil, "old" }, { world:explain { id = first } })
  end)

  it("keeps nothing where it is turned off", function()
    load("hall", { explain_triggers = 0 })
    connect()
    emit { { "n", "1" } }
    assert.same({}, ask { topic = "room:all" }.triggers)
  end)

  it("finds a trigger by its id, and no other world's", function()
    load "hall"
    local tab = connect()
    emit { { "n", "1" } }
    local id = tab.last_id
    emit { { "n", "2" } }
    local triggers = ask { id = id }.triggers
    assert.equal(1, #triggers)
    assert.equal("1", triggers[1].data)
    assert.equal(id, triggers[1].id)
    assert.same({ nil, "foreign" }, { world:explain { id = ("0"):rep(32) } })
  end)

  it("says that no trigger has the id of a stream's beginning", function()
    load "hall"
    local tab = connect()
    assert.same({ nil, "none" }, { world:explain { id = tab.last_id } })
  end)

  describe("of a user", function()
    it("tells of the topics that one of its tabs has, tab for tab", function()
      load "hall"
      connect()
      connect { path = "/events?room=other" }
      emit { { "n", "1" } }
      emit({ { "n", "2" } }, { path = "/emit?room=third" })
      local triggers = ask { user = "ann" }.triggers
      assert.equal(1, #triggers)
      assert.same({ absent = 1, delivered = 1 }, triggers[1].outcomes)
    end)

    it("tells of what it caused, wherever", function()
      load "hall"
      emit({ { "n", "1" } }, { headers = ANN, tag = TAG })
      assert.equal("1", ask { user = "ann" }.triggers[1].data)
    end)

    it("that nobody has heard of tells nothing", function()
      load "hall"
      connect()
      emit { { "n", "1" } }
      assert.same({}, ask { user = "nobody" }.triggers)
      assert.same({}, ask { user = "nobody", topic = "room:all" }.triggers[1].who)
    end)
  end)

  describe("of a window", function()
    it("shows what waits, and what gave way to a newer one", function()
      load "hall"
      connect()
      emit { { "n", "1", { replaces = "k", within = 1 } } }
      emit { { "n", "2", { replaces = "k", within = 1 } } }
      local waits, merged = unpack(ask { topic = "room:all" }.triggers)
      assert.same({ "window", "2", 1000 }, { waits.state, waits.data, waits.within_ms })
      assert.same({ "merged", "1", "k" }, { merged.state, merged.data, merged.replaces })
      assert.equal("route emit", waits.cause.what)
      assert.is_nil(merged.who)

      world:advance(1)
      local placed
      placed, merged = unpack(ask { topic = "room:all" }.triggers)
      assert.same({ "placed", "2", "route emit" }, { placed.state, placed.data, placed.cause.what })
      assert.equal(placed.id, merged.newer)
    end)

    it("shows what a trigger without one stood for", function()
      load "hall"
      emit { { "n", "1", { replaces = "k", within = 1 } } }
      emit { { "n", "2", { replaces = "k" } } }
      local placed, merged = unpack(ask { topic = "room:all" }.triggers)
      assert.same({ "placed", "merged" }, { placed.state, merged.state })
    end)
  end)

  it("names the newer trigger that replaced one in a queue", function()
    load "hall"
    connect():stall()
    emit { { "n", "1", { replaces = "k" } } }
    emit { { "n", "2", { replaces = "k" } } }
    local newer, older = unpack(ask { topic = "room:all" }.triggers)
    assert.equal("replaced", who(older))
    assert.equal(newer.id, older.newer)
  end)

  it("names the filter and where it stands", function()
    load "filter"
    emit { { "no" } }
    local filter = ask { topic = "guarded" }.triggers[1].filter
    assert.equal("filter of topic guarded", filter.what)
    assert.matches("^spec/fixtures/filter%.lua:%d+$", filter.place)
  end)

  it("shows the beginning of long data, cut between characters", function()
    load "hall"
    emit { { "n", ("æ"):rep(1000) } }
    emit { { "n", "x" .. ("æ"):rep(1000) } }
    local odd, even = unpack(ask { topic = "room:all" }.triggers)
    assert.same({ ("æ"):rep(60), 2000 }, { even.data, even.size })
    assert.same({ "x" .. ("æ"):rep(59), 2001 }, { odd.data, odd.size })
  end)

  describe("of the cause", function()
    local function link()
      load "feed"
      world:reply("GET /events", { content_type = "text/event-stream" })
      connect()
      return world:upstream("feed", "ann")
    end

    it("names the handler, where it stands, and the event that it ran for", function()
      link():send("note", "hello", { id = "41" })
      local cause = ask { topic = "user:ann" }.triggers[1].cause
      assert.matches("^spec/fixtures/feed%.lua:%d+$", cause.place)
      assert.matches("note", cause.what)
      assert.same({ "feed", "ann", "note", "41" }, { cause.source, cause.key, cause.type, cause.id })
      assert.same({ "returned", 1 }, { cause["end"], cause.emitted })
    end)

    it("names the rule that failed, with what it said, behind the resync", function()
      link():send("broken", "x")
      world:log()
      local resync = ask { topic = "user:ann" }.triggers[1]
      assert.equal("resync", resync.type)
      assert.equal("failed", resync.cause["end"])
      assert.matches("this handler fails", resync.cause.error)
      assert.matches('"reason":"rule"', resync.data)
    end)

    it("shows a handler that emitted nothing, and one that has not ended", function()
      local feed = link()
      local held = world:hold "GET /slow"
      feed:send("slow", "x")
      for _, query in ipairs { { user = "ann" }, { topic = "user:ann" } } do
        local call = ask(query).calls[1]
        assert.same({ "slow", "feed", "ann", "waits", 0 },
                    { call.type, call.source, call.key, call["end"], call.emitted })
      end
      assert.same({}, ask { topic = "user:bob" }.calls)
      held:answer { status = 204 }
      assert.equal("returned", ask { user = "ann" }.calls[1]["end"])
    end)

    it("is the link itself where it was opened again", function()
      link():cut()
      world:advance(60)
      for _, trigger in ipairs(ask { topic = "user:ann" }.triggers) do
        if trigger.type == "resync" then
          assert.is_nil(tonumber(trigger.cause.what))
          assert.same({ "feed", "ann", "@reopened" },
                      { trigger.cause.source, trigger.cause.key, trigger.cause.type })
          return
        end
      end
      error "no resync"
    end)
  end)
end)
