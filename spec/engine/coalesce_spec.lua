-- Coalescing: `replaces` drops what a newer trigger stands for while it waits; `within` lets it wait.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

local TAG, OTHER = ("a"):rep(16), ("b"):rep(16)

describe("coalescing", function()
  local world

  local function connect(user, options)
    options = options or {}
    options.headers = { ["x-user"] = user or "ann" }
    return world:connect(options.path or "/events", options)
  end

  -- Emits { type, data, options }, ... in one call, as Carl or as the tab that is given.
  local function emit(items, options)
    options = options or {}
    options.json = items
    options.headers = { ["x-user"] = options.user or "carl" }
    assert.equal(204, world:request("POST", "/emit?room=" .. (options.room or "all"), options).status)
  end

  -- All triggers as one text: "type data, type data".
  local function record(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type ~= "ready" then list[#list + 1] = event.type .. " " .. event.data end
    end
    return table.concat(list, ", ")
  end

  before_each(function() world = rig.load "spec/fixtures/hall.lua" end)
  after_each(function() seen.close(world) end)

  describe("by replaces", function()
    local KEY = { replaces = "k" }

    it("drops the older trigger that waits; the newer stands at its own place", function()
      local tab = connect()
      tab:stall()
      emit { { "a", "0" } } -- is being written from now on
      emit { { "a", "1", KEY } }
      emit { { "b", "2" } }
      emit { { "a", "3", KEY } }
      tab:unstall()
      assert.equal("a 0, b 2, a 3", record(tab))
    end)

    it("is by topic, type and key: what differs in one of them stays", function()
      local tab = connect()
      tab:stall()
      emit { { "a", "0" } }
      emit { { "a", "1", KEY } }
      emit { { "b", "2", KEY } }
      emit { { "a", "3", { replaces = "other" } } }
      emit { { "a", "4" } }
      emit { { "a", "5", KEY } }
      tab:unstall()
      assert.equal("a 0, b 2, a 3, a 4, a 5", record(tab))
    end)

    it("leaves one of many", function()
      local tab = connect()
      tab:stall()
      emit { { "a", "0" } }
      for i = 1, 50 do emit { { "a", tostring(i), KEY } } end
      tab:unstall()
      assert.equal("a 0, a 50", record(tab))
    end)

    it("leaves one of those that one handler emits, for all readers alike", function()
      local tabs = { connect "ann", connect "bob", connect "carl" }
      emit { { "a", "1", KEY }, { "b", "2" }, { "a", "3", KEY } }
      for _, tab in ipairs(tabs) do assert.equal("b 2, a 3", record(tab)) end
    end)

    it("never removes a frame that is partly written", function()
      local tab = connect()
      tab:stall(10)
      emit { { "a", "1", KEY } }
      emit { { "a", "2", KEY } }
      tab:unstall()
      assert.equal("a 1, a 2", record(tab))
    end)

    it("counts what was replaced neither as missed nor as waiting", function()
      local tab = connect("ann", { path = "/narrow" })
      tab:stall()
      emit { { "a", "0" } }
      for i = 1, 100 do emit { { "a", tostring(i), KEY } } end
      tab:unstall()
      assert.equal("a 0, a 100", record(tab))
      assert.equal(0, world:counters().lagged)
    end)

    it("keeps the older one for a reader to whom the newer is an echo", function()
      local tab, other = connect("ann", { tag = TAG }), connect "bob"
      tab:stall()
      other:stall()
      emit { { "a", "0" } }
      emit { { "a", "1", KEY } }
      emit({ { "a", "2", KEY } }, { user = "ann", tag = TAG })
      tab:unstall()
      other:unstall()
      assert.equal("a 0, a 1", record(tab))
      assert.equal("a 0, a 2", record(other))
    end)
  end)

  describe("by within", function()
    local function within(seconds, more)
      local options = more or {}
      options.replaces, options.within = options.replaces or "k", seconds
      return options
    end

    it("waits from the first one on; the newest wins", function()
      local tab = connect()
      emit { { "a", "1", within(0.1) } }
      world:advance(0.06)
      emit { { "a", "2", within(0.1) } }
      world:advance(0.03)
      assert.equal("", record(tab))
      world:advance(0.011)
      assert.equal("a 2", record(tab))
      world:advance(1)
      assert.equal("a 2", record(tab))
    end)

    it("takes its place at the end: what came meanwhile stands before it", function()
      local tab = connect()
      emit { { "a", "1", within(0.1) }, { "b", "2" } }
      world:advance(0.05)
      emit { { "b", "3" } }
      world:advance(0.1)
      assert.equal("b 2, b 3, a 1", record(tab))
    end)

    it("opens a new window after the old one has ended", function()
      local tab = connect()
      emit { { "a", "1", within(0.1) } }
      world:advance(0.15)
      emit { { "a", "2", within(0.1) } }
      world:advance(0.09)
      assert.equal("a 1", record(tab))
      world:advance(0.02)
      assert.equal("a 1, a 2", record(tab))
    end)

    it("is a window by topic, type and key", function()
      local tab, other = connect(), connect("ann", { path = "/events?room=other" })
      emit { { "a", "1", within(0.1) }, { "b", "2", within(0.1) }, { "a", "3", within(0.1, { replaces = "x" }) } }
      emit({ { "a", "4", within(0.1) } }, { room = "other" })
      world:advance(0.11)
      assert.equal("a 1, b 2, a 3", record(tab))
      assert.equal("a 4", record(other))
    end)

    it("ends when a newer one does not want to wait", function()
      local tab = connect()
      emit { { "a", "1", within(0.1) } }
      emit { { "a", "2", { replaces = "k" } } }
      assert.equal("a 2", record(tab))
      world:advance(1)
      assert.equal("a 2", record(tab))
    end)

    it("is nobody's echo when different tabs were merged", function()
      local ann, bob = connect("ann", { tag = TAG }), connect("bob", { tag = OTHER })
      emit({ { "a", "1", within(0.1) } }, { user = "ann", tag = TAG })
      emit({ { "a", "2", within(0.1) } }, { user = "bob", tag = OTHER })
      world:advance(0.11)
      assert.equal("a 2", record(ann))
      assert.equal("a 2", record(bob))
    end)

    it("is nobody's echo when another's replaces it at once", function()
      local ann = connect("ann", { tag = TAG })
      emit({ { "a", "1", within(0.1) } }, { user = "ann", tag = TAG })
      emit({ { "a", "2", { replaces = "k" } } }, { user = "bob", tag = OTHER })
      emit({ { "a", "3", within(0.1) } }, { user = "bob", tag = OTHER })
      emit({ { "a", "4", { replaces = "k" } } }, { user = "ann", tag = TAG })
      assert.equal("a 2, a 4", record(ann))
    end)

    it("stays the echo of a tab that alone filled it", function()
      local ann, bob = connect("ann", { tag = TAG }), connect "bob"
      for i = 1, 3 do emit({ { "a", tostring(i), within(0.1) } }, { user = "ann", tag = TAG }) end
      world:advance(0.11)
      assert.equal("", record(ann))
      assert.equal("a 3", record(bob))
    end)

    it("is flushed by a drain, before the streams end", function()
      local tab = connect()
      emit { { "a", "1", within(60) }, { "b", "2", within(60) } }
      assert.equal("", record(tab))
      world:drain()
      assert.equal("a 1, b 2", record(tab))
      assert.is_false(tab:is_open())
    end)

    it("is replayed like any other trigger once it has its place", function()
      local tab = connect()
      emit { { "a", "1", within(0.1) } }
      tab:cut()
      world:advance(1)
      assert.equal("a 1", record(tab:reconnect()))
    end)
  end)
end)
