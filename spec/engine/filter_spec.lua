-- Filters: yes, no, don't know; a filter that waits holds what stands behind it, for one reader.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("a filter", function()
  local world

  local function connect(user, options)
    options = options or {}
    options.headers = { ["x-user"] = user }
    return world:connect(options.path or "/events", options)
  end

  -- Each word is one call; a table is what one call emits.
  local function emit(...)
    for _, word in ipairs { ... } do
      local items = {}
      for i, one in ipairs(type(word) == "table" and word or { word }) do items[i] = { one } end
      assert.equal(204, world:request("POST", "/emit", { json = items }).status)
    end
  end

  -- Words and reasons to re-read, in order.
  local function record(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "word" then list[#list + 1] = event.data end
      if event.type == "resync" then list[#list + 1] = "resync " .. event.data:match '"reason":"(%a+)"' end
    end
    return table.concat(list, ", ")
  end

  local function expect_errors(count)
    local lines, errors = world:log()
    assert.equal(count, errors, lines)
    return lines
  end

  before_each(function() world = rig.load "spec/fixtures/filter.lua" end)
  after_each(function() seen.close(world) end)

  it("that says yes lets pass, that says no does not", function()
    local tab = connect "ann"
    emit("yes 1", "no", "yes 2")
    emit { "no", "yes 3", "no", "yes 4" }
    assert.equal("yes 1, yes 2, yes 3, yes 4", record(tab))
  end)

  it("is asked for each reader", function()
    local ann, bob = connect "ann", connect "bob"
    emit("only ann", "only bob", "yes")
    assert.equal("only ann, yes", record(ann))
    assert.equal("only bob, yes", record(bob))
  end)

  it("that returns nothing says no, and is logged with its line", function()
    local tab = connect "ann"
    emit("none", "yes")
    assert.equal("yes", record(tab))
    local lines = expect_errors(1)
    assert.truthy(lines:find("the filter returned nil", 1, true), lines)
    assert.truthy(lines:find("spec/fixtures/filter.lua:", 1, true), lines)
    world:advance(120)
    assert.equal("yes", record(tab))
  end)

  for _, kind in ipairs { "raises", "text" } do
    describe(kind == "raises" and "that raises" or "that returns what is no answer", function()
      it("withholds, and tells to re-read once before the next that passes", function()
        local tab = connect "ann"
        emit("yes 1", kind, kind)
        assert.equal("yes 1", record(tab))
        emit("no", "yes 2", "yes 3")
        assert.equal("yes 1, resync access, yes 2, yes 3", record(tab))
        assert.same({ "guarded" }, seen.resyncs(tab)[1].topics)
        world:advance(120)
        assert.equal("yes 1, resync access, yes 2, yes 3", record(tab))
        expect_errors(2)
      end)
    end)
  end

  it("that raises is asked again, slower and slower, about what was withheld", function()
    local tab = connect "ann"
    world:reply("GET /may/ann", { status = 500 })
    emit "ask"
    assert.equal(1, #world:requests "GET /may/ann")
    world:advance(300)
    local asked = #world:requests "GET /may/ann"
    assert.is_true(asked >= 10 and asked <= 30, asked)
    assert.equal("", record(tab))
    world:reply("GET /may/ann", { status = 200 })
    world:advance(31)
    assert.equal("resync access", record(tab))
    world:advance(300)
    assert.equal("resync access", record(tab))
    world:log()
  end)

  it("whose answer is no in the end says nothing of what was withheld", function()
    local tab = connect "ann"
    world:reply("GET /may/ann", { status = 500 })
    emit "ask"
    world:reply("GET /may/ann", { status = 403 })
    world:advance(2)
    local asked = #world:requests "GET /may/ann"
    world:advance(120)
    assert.equal(asked, #world:requests "GET /may/ann")
    assert.equal("", record(tab))
    world:log()
  end)

  it("does not stand between a reader and a resync of the topic", function()
    local tab = connect "ann"
    world:hold "GET /may/ann"
    world:request("POST", "/resync")
    assert.equal("resync told", record(tab))
  end)

  describe("that waits", function()
    local held

    before_each(function()
      held = world:hold "GET /may/ann"
      world:reply("GET /may/bob", { status = 200 })
    end)

    it("holds what stands behind it, of all topics, for that reader alone", function()
      local ann, bob = connect "ann", connect "bob"
      emit("yes 1", "ask", "yes 2", "open 3")
      assert.equal("yes 1", record(ann))
      assert.equal("yes 1, ask, yes 2, open 3", record(bob))
      held:answer { status = 200 }
      assert.equal("yes 1, ask, yes 2, open 3", record(ann))
    end)

    it("and says no lets go what stood behind it", function()
      local ann = connect "ann"
      emit("ask", "yes 2")
      held:answer { status = 403 }
      assert.equal("yes 2", record(ann))
    end)

    it("is asked in order but may be answered in any", function()
      local ann, first = connect "ann", held
      emit "ask 1"
      held = world:hold "GET /may/ann"
      emit("ask 2", "yes 3")
      held:answer { status = 200 }
      assert.equal("", record(ann))
      first:answer { status = 200 }
      assert.equal("ask 1, ask 2, yes 3", record(ann))
    end)

    it("holds no longer than the verdict's time-out: withheld, then told", function()
      local ann, hasty = connect "ann", connect("ann", { path = "/hasty" })
      emit("ask", "open 2")
      world:advance(0.4)
      assert.equal("", record(hasty))
      world:advance(0.2)
      assert.equal("open 2", record(hasty))
      world:advance(1.3)
      assert.equal("", record(ann))
      world:advance(0.2)
      assert.equal("open 2", record(ann))
      world:reply("GET /may/ann", { status = 200 })
      world:advance(40)
      assert.equal("open 2, resync access", record(ann))
      assert.equal("open 2, resync access", record(hasty))
      local lines = expect_errors(3)
      assert.truthy(lines:find("killed: not done after its deadline of 500 ms", 1, true), lines)
      assert.truthy(lines:find("killed: not done after its deadline of 2000 ms", 1, true), lines)
    end)

    it("is stopped when the reader goes: a late answer finds nobody", function()
      local ann = connect "ann"
      emit("ask", "yes 2")
      ann:cut()
      held:answer { status = 200 }
      world:reply("GET /may/ann", { status = 200 })
      assert.equal("ask, yes 2", record(ann:reconnect()))
    end)

    it("lets the cursor stand where it waits: a cut then loses nothing", function()
      local ann = connect "ann"
      emit("yes 1", "ask", "yes 2")
      world:advance(1)
      world:reply("GET /may/ann", { status = 200 })
      local back = ann:reconnect()
      assert.equal("ask, yes 2", record(back))
      assert.is_true(back.ready.resumed)
    end)

    it("holds heartbeats, too, which would say a later place", function()
      local ann = connect "ann"
      world:advance(19)
      emit("ask", "yes 2")
      local before = ann.last_id
      world:advance(1.5)
      assert.equal(before, ann.last_id)
      held:answer { status = 200 }
      assert.are_not.equal(before, ann.last_id)
    end)
  end)

  describe("and a queue without room", function()
    it("counts as missed what it would have let pass", function()
      local tab = connect("ann", { path = "/narrow" })
      tab:stall()
      for _ = 1, 10 do emit("yes", "no") end
      tab:unstall()
      assert.same({ { reason = "lagged", missed = 10, topics = { "guarded" } } }, seen.resyncs(tab))
    end)

    it("waits with the number for the answers that are open", function()
      local held = world:hold "GET /may/ann"
      local tab = connect("ann", { path = "/narrow" })
      tab:stall()
      emit("yes", "ask 1", "ask 2", "yes", "yes", "yes", "no", "yes")
      tab:unstall()
      assert.equal("", record(tab))
      held:answer { status = 200 }
      held:answer { status = 403 }
      assert.equal(6, seen.resyncs(tab)[1].missed)
      emit "yes after"
      assert.equal("resync lagged, yes after", record(tab))
    end)
  end)

  describe("in a replay", function()
    it("is asked again, with today's answer", function()
      local tab = connect "ann"
      world:reply("GET /may/ann", { status = 200 })
      tab:cut()
      emit("yes 1", "ask", "no", "yes 2")
      world:reply("GET /may/ann", { status = 403 })
      local back = tab:reconnect()
      assert.equal("yes 1, yes 2", record(back))
    end)

    it("leaves the number of those that pass", function()
      local tab = connect "ann"
      tab:cut()
      emit("yes 1", "no", "only bob", "yes 2")
      assert.equal(2, tab:reconnect().ready.missed)
    end)

    it("says that the number is not known while it waits", function()
      local tab = connect "ann"
      tab:cut()
      emit("yes 1", "ask")
      local held = world:hold "GET /may/ann"
      local back = tab:reconnect()
      assert.is_nil(tonumber(back.ready.missed))
      assert.is_true(back.ready.resumed)
      held:answer { status = 200 }
      assert.equal("yes 1, ask", record(back))
    end)

    it("does not forget what was withheld from a reader that went before it was told", function()
      local tab = connect "ann"
      world:reply("GET /may/ann", { status = 500 })
      emit("ask", "open 2")
      assert.equal("open 2", record(tab))
      world:reply("GET /may/ann", { status = 200 })
      local back = tab:reconnect()
      assert.is_false(back.ready.resumed)
      assert.equal("resync access", record(back))
      world:log()
    end)
  end)
end)
