-- Emits: batches, data, echoes, coalescing, and who may emit.

local rules = require "spec.support.rules"

local TAG = "tab-of-ann-00000000"

describe("emit", function()
  local world, tab

  after_each(function() world:close() end)

  -- A stream on the topic `all`, and the route POST /run of user ann.
  local function run(body, options, before)
    world = rules.load(([[
      local json, time = require "sluice.json", require "sluice.time"
      local all  = app:topic("all", { history = { size = 64, ttl = 60 } })
      local room = app:topic("room:{house}:{room}")
      local me   = sluice.identity(function() return { user = "ann" } end)
      app:stream("events", { path = "/events", identity = me,
        topics = function() return { all(), room("a b", 7) } end })
      %s
      app:route("run", "POST /run", { identity = me, run = function(req) %s end })
    ]]):format(before or "", body))
    tab = world:connect("/events", { tag = TAG })
    return world:request("POST", "/run", options or {})
  end

  local function received()
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type ~= "ready" then list[#list + 1] = event.type .. " " .. event.data end
    end
    return list
  end

  it("publishes when the handler returns, in order", function()
    local answer = run [[
      all():emit("one", "1")
      time.sleep(1)
      all():emit("two", "2")
      return 204
    ]]
    assert.same({}, received())
    world:advance(1)
    assert.equal(204, answer:result().status)
    assert.same({ "one 1", "two 2" }, received())
  end)

  it("publishes nothing of a handler that raises, nor of one that is killed", function()
    run [[ all():emit("one", "1") error "no" ]]
    assert.same({}, received())
    world:close()
    run [[ all():emit("one", "1") time.sleep(60) return 204 ]]
    world:advance(60)
    assert.same({}, received())
  end)

  it("publishes what is there on app:flush", function()
    run [[ all():emit("one", "1") app:flush() all():emit("two", "2") error "no" ]]
    assert.same({ "one 1" }, received())
  end)

  it("takes texts, tables, numbers, nothing", function()
    run [[
      all():emit("a", "text") all():emit("b", { list = { 1, 2 } }) all():emit("c", 1800000000000001)
      all():emit("d") all():emit("e", json.null) all():emit("f", json.list {})
      return 204
    ]]
    assert.same({ "a text", 'b {"list":[1,2]}', "c 1800000000000001", "d ", "e ", "f []" }, received())
  end)

  it("goes to the topic's name, encoded", function()
    run [[ room("a b", 7):emit("a", room("a:b/", "é").name) return 204 ]]
    assert.same({ "a room:a%3Ab%2F:%C3%A9" }, received())
  end)

  describe("echo", function()
    local function echoes(options, tag)
      run(([[ all():emit("a", "1", %s) return 204 ]]):format(options), { tag = tag })
      local list = received()
      world:close()
      return #list == 0
    end

    after_each(function() world = { close = function() end } end)

    it("is of the request's user and tag, unless another is said", function()
      assert.is_true(echoes("nil", TAG))
      assert.is_false(echoes("nil", "tab-of-ann-11111111"))
      assert.is_false(echoes("nil", nil))
      assert.is_false(echoes("{ tag = false }", TAG))
      assert.is_true(echoes("{ tag = '" .. TAG .. "' }", nil))
      assert.is_true(echoes("{ tag = json.null }", TAG) == false)
      assert.is_false(echoes("{ user = 'bob' }", TAG))
      assert.is_false(echoes("{ tag = 'short' }", nil))
    end)
  end)

  it("joins what replaces each other within a window", function()
    run [[
      for i = 1, 3 do all():emit("a", i, { replaces = "k", within = 0.5 }) end
      all():emit("a", 4, { replaces = "other", within = 0.5 })
      return 204
    ]]
    assert.same({}, received())
    world:advance(0.5)
    assert.same({ "a 3", "a 4" }, received())
  end)

  it("says what is wrong", function()
    local wrong = {
      ["all():emit()"]                                = "emit: the type is nil, expected a text",
      ["all():emit ''"]                               = "emit: the type is empty, expected a text",
      ["all():emit('a\\nb')"]                         = "emit: the type holds CR, LF or NUL",
      ["all():emit('a', print)"]                      = "emit: the data is a function, expected a text or a table",
      ["all():emit('a', { print })"]                  = "JSON: plain data only, not a function",
      ["all():emit('a', '1', { within = 1 })"]        = "emit: within needs replaces",
      ["all():emit('a', '1', { within = -1 })"]       = "emit: within must be seconds from 0 to 3600",
      ["all():emit('a', '1', { replace = 1 })"]       = "emit: unknown option 'replace'; did you mean 'replaces'?",
      ["all():emit('a', '1', { tag = {} })"]          = "emit: tag is a table, expected a text",
      ["all():emit('a', '1', 7)"]                     = "emit: the options are a number, expected a table",
      ["all.emit('a')"]                               = "topic has no 'emit'",
      ["all().emit('a')"]                             = "expected: topic name, got: string",
      ["all():resync ''"]                             = "resync: the reason must be a word",
      ["for i = 1, 10001 do all():emit 'a' end"]      = "more than 10000 emits",
      ["room('a')"]                                   = "the topic 'room:{house}:{room}' takes 2 values, got 1",
      ["room('a', '')"]                               = "{room} is empty, expected a text",
      ["room('a', ('x'):rep(2000))"]                  = "is 2007 bytes, 1024 at most",
    }
    for call, sentence in pairs(wrong) do
      assert.equal(500, run(call .. " return 204").status)
      local log = world:log()
      assert.truthy(log:find(sentence, 1, true), call .. ": " .. log)
      world:close()
    end
    run "return 204"
  end)

  it("is for those who act, not for those who answer a question", function()
    world = rules.load [[
      local all
      local function try() all():emit("a", "1") return true end
      all = app:topic("all", { subscribe = try, filter = try, history = { size = 5 } })
      app:stream("asked", { path = "/asked" })
      app:stream("named", { path = "/named", topics = function() try() return all() end })
      app:stream("known", { path = "/known", identity = function() try() return { user = "a" } end })
      app:stream("plain", { path = "/plain", topics = function() return all() end })
      app:every("beat", { period = 1, run = function() all():emit("b", "2") end })
    ]]
    for path, phase in pairs {
      ["/asked?topic=all"] = "a topic's subscribe",
      ["/named"]           = "a stream's topics",
      ["/known"]           = "an identity function",
    } do
      assert.equal(503, world:connect(path).status)
      local sentence = "emit cannot be called in " .. phase ..
        "; it can in an event handler, an ingest's handler, a route"
      assert.truthy(world:log():find(sentence, 1, true))
    end
    local plain = world:connect "/plain"
    world:advance(1)
    assert.same({}, plain:types())
    assert.truthy(world:log():find("emit cannot be called in a filter", 1, true))
  end)
end)
