-- What a trigger carries besides type and data: when to come back, meta for filters; and data that is wrapped.

local rig  = require "sluice.rig"
local json = require "cjson.safe"

describe("a trigger", function()
  local world
  local ann = { ["x-user"] = "ann" }

  local function post(...)
    return world:request("POST", "/emit", { headers = ann, json = { ... }, tag = "tab-0000000000009" }).status
  end
  local function emit(...) assert.equal(204, post(...)) end

  local function bytes(path)
    local client = world.core:request {
      method = "GET", path = path, query = "", body = "", headers = { { "x-user", "ann" } },
    }
    world:run()
    world.core:take(client)
    return function() return world.core:take(client) end, function() world.core:cut(client) end
  end

  before_each(function() world = rig.load "spec/fixtures/frames.lua" end)
  after_each(function() world:close() end)

  it("says when to come back, in its own frame", function()
    local take, cut = bytes "/events"
    emit({ "named", "t", "1", { id = "a", retry = 2.5 } })
    assert.equal("id: a\nevent: t\nretry: 2500\ndata: 1\n\n", take())
    cut()
    local tab = world:connect("/events", { headers = ann, last_event_id = world:triggers()[1].cursor })
    assert.equal(2000, tab.retry)
    emit({ "named", "t", "2", { retry = 7 } })
    assert.equal(7000, tab.retry)
    tab:close()
    assert.equal(500, post({ "named", "t", "", { retry = -1 } }))
    assert.truthy(world:log():find("retry must be seconds from 0 to 86400", 1, true))
  end)

  it("of the type `message` has no event line", function()
    local take, cut = bytes "/events"
    emit({ "named", "message", "1", { id = "a" } })
    assert.equal("id: a\ndata: 1\n\n", take())
    cut()
  end)

  it("shows its meta to filters and to nobody else", function()
    local take, cut = bytes "/events"
    local bob = world:connect("/events", { headers = { ["x-user"] = "bob" } })
    emit({ "guarded", "t", "1", { id = "a", meta = { ["for"] = "ann", list = { 1 } } } })
    assert.equal("id: a\nevent: t\ndata: 1\n\n", take())
    assert.same({}, bob:types())
    emit({ "guarded", "t", "2", { id = "b", meta = { ["for"] = "bob" } } })
    assert.same({ "t" }, bob:types())
    assert.equal('{"for":"bob"}', world:triggers("guarded")[2].meta)
    cut()
  end)

  it("has its meta read once for all subscribers", function()
    for i = 1, 50 do world:connect("/events", { headers = { ["x-user"] = "user" .. i } }) end
    emit({ "guarded", "t", "1", { meta = { ["for"] = "nobody" } } })
    assert.equal("1", world:request("GET", "/asked").body)
  end)

  it("carries its meta through a window and history", function()
    emit({ "guarded", "t", "1", { replaces = "k", within = 0.1, meta = { ["for"] = "bob" } } },
      { "guarded", "t", "2", { replaces = "k", within = 0.1, meta = { ["for"] = "ann" } } })
    local place = world:connect("/events", { headers = ann }):events()[1].id
    world:advance(0.1)
    for user, count in pairs { ann = 1, bob = 0 } do
      local tab = world:connect("/events", { headers = { ["x-user"] = user }, last_event_id = place })
      assert.equal(count, #tab:types(), user)
    end
  end)

  it("has at most 16 KiB of meta, and it is plain data", function()
    assert.equal(500, post({ "named", "t", "", { meta = { ("x"):rep(16384) } } }))
    assert.truthy(world:log():find("16384 at most", 1, true))
  end)

  describe("on a topic that wraps", function()
    it("has its data shaped once, at the emit", function()
      local tab = world:connect("/events", { headers = ann })
      emit({ "wrapped", "moved", { card = 1 }, { meta = { of = "board" } } }, { "wrapped", "moved", "text" })
      local first, second = tab:events()[2], tab:events()[3]
      assert.equal("message", first.type)
      assert.same({ type = "moved", data = { card = 1 }, of = "board" }, json.decode(first.data))
      assert.equal("moved as text", second.data)
    end)

    it("has a tag put into what the wrap made", function()
      local tab = world:connect("/client", { headers = ann, tag = "tab-0000000000009" })
      emit({ "wrapped", "moved", { card = 1 } })
      assert.same({ session_tag = "tab-0000000000009", type = "moved", data = { card = 1 } },
        json.decode(tab:events()[2].data))
    end)

    it("goes nowhere where the wrap raises, waits or returns nothing, and nothing of its handler does", function()
      local tab = world:connect("/events", { headers = ann })
      for data, words in pairs {
        raise   = "this wrap fails",
        nothing = "the wrap of the topic 'wrapped' returned a nil",
        wait    = "a call that waits cannot be made here",
      } do
        assert.equal(500, post({ "plain", "t", "1" }, { "wrapped", "t", data }), data)
        assert.truthy(world:log():find(words, 1, true), words)
      end
      assert.same({}, tab:types())
      emit({ "wrapped", "t", "still there" })
      assert.same({ "message" }, tab:types())
    end)

    it("is wrapped as its name's most literal pattern says", function()
      emit({ "wrapped-not", "t", "bare" }, { "x", "t", "bare" })
      assert.equal("bare", world:triggers("wrapped-not")[1].data)
      assert.equal("some", world:triggers("wrapped-x")[1].data)
      emit({ "not", "t", "bare" }) -- made by the other pattern
      assert.equal("bare", world:triggers("wrapped-not")[2].data)
    end)
  end)
end)
