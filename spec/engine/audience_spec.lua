-- An audience is asked once an event over the connected users: once a user, not once a tab; its answers count for
-- their time; "don't know" is told.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("an audience", function()
  local world, members

  local function connect(user, options)
    options = options or {}
    options.headers = options.headers or {}
    options.headers["x-user"] = user
    return world:connect(options.path or "/boards/1", options)
  end

  local function emit(topic, ...)
    assert.equal(204, world:request("POST", "/emit/" .. topic, { json = { ... } }).status)
  end

  local function forget(what) assert.equal(204, world:request("POST", "/forget", { json = what }).status) end

  -- Words and reasons to re-read, in order.
  local function record(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.data and event.type == "word" then list[#list + 1] = event.data end
      if event.type == "resync" then list[#list + 1] = "resync " .. event.data:match '"reason":"(%a+)"' end
    end
    return table.concat(list, ", ")
  end

  -- The users of each question so far, sorted.
  local function questions()
    local list = {}
    for i, request in ipairs(world:requests "POST /may") do
      table.sort(request.json.users)
      list[i] = request.json.key .. ": " .. table.concat(request.json.users, " ")
    end
    return list
  end

  local function answer(request)
    local list = {}
    for user in pairs(members[request.json.key] or {}) do list[#list + 1] = user end
    return { json = list }
  end

  local function answers() world:reply("POST /may", answer) end

  local function expect_errors(count)
    local lines, errors = world:log()
    assert.equal(count, errors, lines)
    return lines
  end

  local function load(options)
    world = rig.load("spec/fixtures/boards.lua", options)
    members = { ["1"] = { ann = true, bob = true, cid = true }, sifted = { ann = true, bob = true } }
    answers()
  end

  before_each(function() load() end)
  after_each(function() seen.close(world) end)

  it("lets its users see it, and nobody else", function()
    local ann, eve = connect "ann", connect "eve"
    emit("1", "a", "b")
    assert.same({ "a, b", "" }, { record(ann), record(eve) })
    assert.same({ "1: ann eve" }, questions())
  end)

  it("is not asked without a connected user", function()
    emit("1", "a")
    connect("ann", { path = "/boards/2" })
    emit("1", "b")
    assert.same({}, questions())
  end)

  it("is asked once for a thousand users with three tabs each, and not again within its time", function()
    members["1"] = {}
    local tabs = {}
    for i = 1, 1000 do
      members["1"]["u" .. i] = i % 2 == 0 or nil
      for _ = 1, 3 do tabs[#tabs + 1] = connect("u" .. i) end
    end
    emit("1", "a")
    assert.equal(1, #world:requests "POST /may")
    assert.equal(1000, #world:requests("POST /may")[1].json.users)
    world:advance(9.9)
    emit("1", "b", "c")
    assert.equal(1, #world:requests "POST /may")
    for i, tab in ipairs(tabs) do
      assert.equal(math.ceil(i / 3) % 2 == 0 and "a, b, c" or "", record(tab))
    end
    world:advance(0.2)
    emit("1", "d")
    assert.equal(2, #world:requests "POST /may")
  end)

  it("is asked for the key once a trigger, whatever the number of subscribers", function()
    for i = 1, 50 do connect("u" .. i) end
    emit("1", "a", "b")
    assert.equal("2", world:request("GET", "/keys").body)
  end)

  it("asks only for those whose answer is not there", function()
    connect "ann"
    emit("1", "a")
    local bob = connect "bob"
    emit("1", "b")
    assert.equal("b", record(bob))
    assert.same({ "1: ann", "1: bob" }, questions())
  end)

  it("keeps each key's answers apart, though the topic is one pattern's", function()
    members["2"] = { eve = true }
    connect "eve"
    local other = connect("eve", { path = "/boards/2" })
    emit("1", "a")
    emit("2", "b")
    assert.equal("b", record(other))
    assert.same({ "1: eve", "2: eve" }, questions())
  end)

  it("counts the time of an answer from the question, not from the answer", function()
    local held = world:hold "POST /may"
    local ann = connect "ann"
    emit("1", "a")
    world:advance(1.9)
    held:answer { json = { "ann" } }
    answers()
    members["1"].ann = nil
    world:advance(8.05)
    emit("1", "b")
    assert.equal("a, b", record(ann))
    world:advance(0.1)
    emit("1", "c")
    assert.equal("a, b", record(ann))
  end)

  it("is not stopped by a tab that goes while others wait", function()
    local held = world:hold "POST /may"
    local one, two = connect "ann", connect "ann"
    emit("1", "a")
    one:cut()
    held:answer { json = { "ann" } }
    assert.equal("a", record(two))
  end)

  it("is given up when nobody waits any more", function()
    local held = world:hold "POST /may"
    local ann = connect "ann"
    emit("1", "a")
    ann:cut()
    world:advance(5)
    assert.equal(1, #held.waiting)
    assert.equal(0, world:counters().failures)
  end)

  describe("answers", function()
    local function after(json, body)
      world:reply("POST /may", { json = json, body = body })
      local ann, eve = connect "ann", connect "eve"
      emit("1", "a")
      return record(ann), record(eve)
    end

    it("by a list of names, of others, too", function()
      assert.same({ "a", "" }, { after { "zoe", "ann", 7 } })
    end)

    it("by a table of true and false", function()
      assert.same({ "a", "" }, { after { ann = true, eve = false, zoe = true } })
    end)

    it("by true: all, by false or nil: nobody", function()
      assert.same({ "a", "a" }, { after(true) })
      world:advance(11)
      assert.same({ "", "" }, { after(false) })
      world:advance(11)
      assert.same({ "", "" }, { after(nil, "null") })
      world:advance(11)
      assert.same({ "", "" }, { after {} })
    end)

    for name, nonsense in pairs { text = "ann", number = 1, mixed = { ann = "yes" }, deep = { { "ann" } } } do
      it("with nonsense: nobody knows: " .. name, function()
        assert.same({ "", "" }, { after(nonsense) })
        answers()
        world:advance(2)
        assert.truthy(expect_errors(1):find("an audience must return", 1, true))
        assert.equal("resync access", record(world.tabs[1]))
        assert.equal("", record(world.tabs[2]))
      end)
    end
  end)

  describe("that does not know", function()
    it("withholds, and tells once when it says yes again; those it denies hear nothing", function()
      world:reply("POST /may", { status = 500 })
      local ann, eve = connect "ann", connect "eve"
      emit("1", "a", "b")
      assert.same({ "", "" }, { record(ann), record(eve) })
      answers()
      emit("1", "c")
      world:advance(120)
      emit("1", "d")
      assert.equal("resync access, c, d", record(ann))
      world:log()
    end)

    it("is asked again for all at once, slower and slower, not once a tab", function()
      world:reply("POST /may", { status = 500 })
      for i = 1, 100 do connect("u" .. i) end
      emit("1", "a")
      assert.equal(1, #world:requests "POST /may")
      world:advance(60)
      local asked = #world:requests "POST /may"
      assert.is_true(asked > 5 and asked < 125, asked) -- two a second at most
      members["1"].u1 = true
      answers()
      world:advance(31)
      assert.equal("resync access", record(world.tabs[1]))
      world:log()
    end)

    it("because it takes too long, holds no longer than the verdict's time-out", function()
      local held = world:hold "POST /may"
      local ann, hasty = connect("ann", { path = "/both" }), connect("ann", { path = "/hasty/1" })
      emit("1", "a")
      emit("open", "o")
      world:advance(0.6)
      assert.same({ "", "" }, { record(ann), record(hasty) })
      emit("1", "b")
      held:answer { json = { "ann" } }
      assert.same({ "a, o, b", "resync access, b" }, { record(ann), record(hasty) })
      world:hold "POST /may"
      world:advance(11)
      emit("1", "c")
      world:advance(2.1)
      assert.equal("a, o, b", record(ann))
      answers()
      world:advance(40)
      assert.equal("a, o, b, resync access", record(ann))
      assert.truthy(expect_errors(1):find("killed: not done after its deadline", 1, true))
    end)

    it("because there is no key, withholds that trigger alone", function()
      local ann = connect "ann"
      emit("1", "a", "keyless", "b")
      assert.equal("resync access, a, b", record(ann))
      assert.truthy(expect_errors(1):find("an audience's key must be a text, not a nil", 1, true))
    end)
  end)

  describe("during a question", function()
    local held
    before_each(function() held = world:hold "POST /may" end)

    it("later triggers join it", function()
      local ann = connect "ann"
      emit("1", "a")
      emit("1", "b")
      held:answer { json = { "ann" } }
      assert.equal("a, b", record(ann))
      assert.equal(1, held.count)
    end)

    it("who comes is asked about in a second one, and misses nothing", function()
      local bob = connect "bob"
      emit("1", "a")
      bob:cut()
      local ann = connect "ann"
      emit("1", "b")
      bob = bob:reconnect()
      emit("1", "c")
      assert.same({ "1: bob", "1: ann", "1: bob" }, questions())
      held:answer { json = { "bob" } } -- nobody waited for the first any more
      assert.same({ "", "" }, { record(ann), record(bob) })
      held:answer { json = { "ann" } }
      held:answer { json = { "bob" } }
      assert.same({ "b, c", "a, b, c" }, { record(ann), record(bob) })
    end)

    it("another tab of a user that is asked about joins it", function()
      local one = connect "ann"
      emit("1", "a")
      local two = connect "ann"
      emit("1", "b")
      held:answer { json = { "ann" } }
      assert.same({ "a, b", "b" }, { record(one), record(two) })
      assert.equal(1, held.count)
    end)

    it("an overflowing queue counts what was permitted", function()
      local ann = connect("ann", { path = "/narrow/1" })
      ann:stall()
      emit("1", "a", "b", "c")
      held:answer { json = { "ann" } }
      emit("1", "d", "e", "f", "g")
      ann:unstall()
      assert.equal("resync lagged", record(ann))
      assert.equal(7, seen.resyncs(ann)[1].missed)
    end)

    it("an overflowing queue counts nothing that was denied", function()
      local ann = connect("ann", { path = "/narrow/1" })
      emit("1", "a", "b", "c", "d", "e", "f")
      held:answer { json = { "bob" } }
      assert.equal(0, #seen.data(ann, "word"))
      for _, resync in ipairs(seen.resyncs(ann)) do assert.is_not_equal(6, resync.missed) end
    end)

    it("a reload asks the new rules, and the earlier answer is nobody's", function()
      local ann = connect "ann"
      emit("1", "a")
      local before = held
      held = world:hold "POST /may"
      world:reload "spec/fixtures/boards.lua"
      assert.equal(1, held.count)
      before:answer { json = { "ann" } }
      assert.equal("", record(ann))
      held:answer { json = { "ann" } }
      assert.equal("a", record(ann))
    end)
  end)

  it("drops what was answered at a reload", function()
    local ann = connect "ann"
    emit("1", "a")
    members["1"].ann = nil
    world:reload "spec/fixtures/boards.lua"
    emit("1", "b")
    assert.equal("a", record(ann))
  end)

  it("is asked once about all that waits in queues when rules are reloaded", function()
    local tabs = {}
    for _, user in ipairs { "ann", "bob", "cid" } do
      for _ = 1, 3 do
        tabs[#tabs + 1] = connect(user)
        tabs[#tabs]:stall()
      end
    end
    emit("1", "a", "b", "c")
    assert.equal(1, #world:requests "POST /may")
    members["1"].bob = nil
    world:reload "spec/fixtures/boards.lua"
    assert.same({ "1: ann bob cid", "1: ann bob cid" }, questions())
    for i, tab in ipairs(tabs) do
      tab:unstall()
      assert.equal(i > 3 and i < 7 and "" or "a, b, c", record(tab))
    end
  end)

  it("is asked about what newcomers get, each under its own key", function()
    members["2"] = { eve = true }
    world:request("POST", "/keep/1/a")
    world:request("POST", "/keep/2/b")
    local seen_by = {}
    for _, user in ipairs { "ann", "eve" } do
      for _, project in ipairs { "1", "2" } do
        seen_by[#seen_by + 1] = record(connect(user, { path = "/kept/" .. project }))
      end
    end
    assert.same({ "a", "", "", "b" }, seen_by)
    assert.same({ "1: ann", "2: ann", "1: eve", "2: eve" }, questions())
  end)

  it("is asked once then, however many they are", function()
    for i = 1, 600 do
      members["1"]["u" .. i] = true
      connect("u" .. i):stall()
    end
    emit("1", "a")
    world:reload "spec/fixtures/boards.lua"
    assert.equal(2, #questions())
    assert.equal(600, #world:requests("POST /may")[2].json.users)
  end)

  describe("and app:forget", function()
    it("revokes at once, of one user or of a topic", function()
      local ann, bob = connect "ann", connect "bob"
      emit("1", "a")
      members["1"] = {}
      forget { project = "1", user = "ann" }
      emit("1", "b")
      assert.same({ "a", "a, b" }, { record(ann), record(bob) })
      forget { name = "board.1" }
      emit("1", "c")
      assert.same({ "a", "a, b" }, { record(ann), record(bob) })
      assert.same({ "1: ann bob", "1: ann", "1: ann bob" }, questions())
    end)

    it("takes nil for all", function()
      members["2"] = { ann = true }
      local one, two = connect "ann", connect("ann", { path = "/boards/2" })
      emit("1", "a") emit("2", "a")
      members = {}
      forget { user = "ann" }
      emit("1", "b") emit("2", "b")
      assert.same({ "a", "a" }, { record(one), record(two) })
      forget {}
      emit("1", "c")
      assert.equal(5, #questions())
    end)

    it("forgets who is gone, and a topic that is", function()
      connect("bob", { path = "/kept/9" }):close()
      world:request("POST", "/keep/9/a")
      connect("bob", { path = "/kept/9" }):close()
      forget { user = "bob" }
      forget { name = "kept.9" }
      connect("bob", { path = "/kept/9" }):close()
      assert.same({ "9: bob", "9: bob" }, questions())
    end)

    it("throws away the answer of a question under way, and asks again", function()
      local held = world:hold "POST /may"
      local ann, bob = connect "ann", connect "bob"
      emit("1", "a")
      forget { project = "1", user = "ann" }
      assert.same({ "1: ann bob", "1: ann" }, questions())
      held:answer { json = { "ann", "bob" } }
      assert.same({ "", "a" }, { record(ann), record(bob) })
      held:answer { json = {} }
      assert.same({ "", "a" }, { record(ann), record(bob) })
      members["1"].ann = nil
      answers()
      emit("1", "b")
      assert.same({ "", "a, b" }, { record(ann), record(bob) })
    end)

    it("stops the question when it is about nobody any more", function()
      local held = world:hold "POST /may"
      local ann = connect "ann"
      emit("1", "a")
      forget {}
      held:answer { json = {} } -- finds nobody
      held:answer { json = { "ann" } }
      assert.equal("a", record(ann))
    end)

    it("asks again about what is permitted and still waits in queues", function()
      local ann, bob = connect "ann", connect "bob"
      ann:stall()
      bob:stall()
      emit("1", "a", "b")
      members["1"] = { bob = true }
      forget { project = "1" }
      ann:unstall()
      bob:unstall()
      assert.same({ "", "a, b" }, { record(ann), record(bob) })
      assert.same({ "1: ann bob", "1: ann bob" }, questions())
    end)

    it("leaves alone what waits of others", function()
      local ann = connect "ann"
      ann:stall()
      emit("1", "a")
      forget { project = "2" }
      forget { user = "bob" }
      ann:unstall()
      assert.equal("a", record(ann))
      assert.equal(1, #questions())
    end)

    it("tells of a revoked trigger that had replaced a permitted one", function()
      local ann = connect "ann"
      ann:stall()
      emit("1", "replaces x 1")
      emit("1", "replaces x 2")
      members["1"] = {}
      forget { project = "1" }
      ann:unstall()
      assert.equal("resync access", record(ann))
    end)

    -- What a newcomer was told of how it stands, and words.
    local function shown(tab)
      local list = {}
      for _, event in ipairs(tab:events()) do
        if event.type == "resync" then list[#list + 1] = event.data:match '"reason":"(%a+)"'
        elseif event.type ~= "ready" then list[#list + 1] = event.data end
      end
      return table.concat(list, ", ")
    end

    it("has a snapshot made anew that is being made: it was made of what could be read then", function()
      local state = world:hold "GET /state"
      local ann = connect("ann", { path = "/shown/1" })
      local other = connect("ann", { path = "/shown/2" })
      assert.equal(2, state.count)
      forget { name = "shown.1", user = "ann" }
      assert.equal(3, state.count)
      state:answer { body = "secret" }                              -- to nobody any more
      state:answer { body = "of 2" }
      state:answer { body = "nothing" }
      assert.same({ "nothing", "of 2" }, { shown(ann), shown(other) })
    end)

    it("has a snapshot made anew that waits for a slow client", function()
      local held = world:hold "GET /state"
      local ann = connect("ann", { path = "/shown/1" })
      ann:stall()
      held:answer { body = "secret" }
      forget { user = "ann" }
      held:answer { status = 403 }
      ann:unstall()
      assert.equal("snapshot", shown(ann))
      expect_errors(1)
    end)

    it("lets no snapshot hold a stream for longer, however often", function()
      world:hold "GET /state"
      local ann = connect("ann", { path = "/shown/1" })
      world:request("POST", "/show/1/a")
      for _ = 1, 4 do
        assert.equal("", shown(ann))
        world:advance(0.49)
        forget {}
      end
      world:advance(0.1)
      assert.equal("snapshot, a", shown(ann))
      expect_errors(1)
    end)

    it("asks again about a trigger whose filter waits behind the yes", function()
      local sieve = world:hold "GET /sieve"
      local ann = connect("ann", { path = "/sifted" })
      emit("sifted", "sieve")
      assert.equal(1, sieve.count)
      members.sifted = {}
      forget { name = "sifted" }
      sieve:answer { status = 200 }
      assert.equal("", record(ann))
      assert.equal(2, #questions())
    end)
  end)

  describe("with a filter", function()
    it("comes first, and both must say yes", function()
      local ann, eve = connect("ann", { path = "/sifted" }), connect("eve", { path = "/sifted" })
      emit("sifted", "a", "no", "b")
      assert.same({ "a, b", "" }, { record(ann), record(eve) })
      assert.same({ "sifted: ann eve" }, questions()) -- a key of its own: the topic's name
      local sieve = world:hold "GET /sieve"
      emit("sifted", "sieve", "c")
      assert.equal(1, sieve.count) -- not for eve
      sieve:answer { status = 200 }
      assert.equal("a, b, sieve, c", record(ann))
    end)

    it("asks the filter when the answer is there", function()
      local held, sieve = world:hold "POST /may", world:hold "GET /sieve"
      local ann = connect("ann", { path = "/sifted" })
      emit("sifted", "sieve", "no", "c")
      assert.equal(0, sieve.count)
      held:answer { json = { "ann" } }
      assert.equal(1, sieve.count)
      sieve:answer { status = 403 }
      assert.equal("c", record(ann))
    end)
  end)

  describe("in a replay", function()
    it("is asked once for all of it, and with today's answer", function()
      local ann = connect "ann"
      emit("1", "a")
      ann:cut()
      world:advance(11)
      emit("1", "b", "c", "d")
      ann = ann:reconnect()
      assert.equal("b, c, d", record(ann))
      assert.equal(2, #questions())
      members["1"].ann = nil
      ann:cut()
      world:advance(11)
      emit("1", "e")
      assert.equal("", record(ann:reconnect()))
    end)

    it("is asked once for a storm of them that come in one turn", function()
      local tabs = {}
      for i = 1, 30 do
        members["1"]["u" .. i] = true
        tabs[i] = connect("u" .. i)
      end
      emit("1", "a")
      for i = 1, 30 do tabs[i]:cut() end
      world:advance(11)
      emit("1", "b")
      world:together(function()
        for i = 1, 30 do tabs[i] = tabs[i]:reconnect() end
      end)
      for i = 1, 30 do assert.equal("b", record(tabs[i])) end
      assert.equal(2, #questions())
      assert.equal(30, #world:requests("POST /may")[2].json.users)
    end)

    it("asks about who comes back, not about all that are there", function()
      local ann = connect "ann"
      for i = 1, 20 do connect("u" .. i) end
      emit("1", "a")
      ann:cut()
      emit("1", "b")
      world:advance(11)
      ann:reconnect()
      assert.equal("1: ann", questions()[2])
    end)
  end)

  it("is not for a subscriber without a user, which is said once", function()
    local tab = world:connect "/nobody"
    emit("1", "a")
    emit("1", "b")
    assert.equal("", record(tab))
    assert.same({}, questions())
    local lines = world:log()
    local _, count = lines:gsub("a subscriber without a user is in no topic's audience", "")
    assert.equal(1, count, lines)
  end)

  it("asks again, and shows nothing wrong, where its answers find no room", function()
    world:close()
    load { audience_permits = 2 }
    local tabs = {}
    for i, user in ipairs { "ann", "bob", "cid", "eve" } do tabs[i] = connect(user) end
    emit("1", "a")
    emit("1", "b")
    assert.equal(2, #questions())
    assert.same({ "a, b", "a, b", "a, b", "" },
      { record(tabs[1]), record(tabs[2]), record(tabs[3]), record(tabs[4]) })
  end)

  it("is named by explain, and told apart from a filter", function()
    connect("ann", { path = "/sifted" })
    connect("eve", { path = "/sifted" })
    emit("sifted", "no")
    local trigger = world:explain { topic = "sifted" }.apps[1].triggers[1]
    local by = {}
    for _, who in ipairs(trigger.who) do by[who.user] = who.outcome .. " by " .. who.by end
    assert.same({ ann = "denied by filter", eve = "denied by audience" }, by)
    assert.equal("audience of topic sifted", trigger.audience.what)
    world:reply("POST /may", { status = 500 })
    forget {}
    emit("sifted", "a")
    trigger = world:explain { topic = "sifted" }.apps[1].triggers[1]
    assert.same({ "withheld", "audience" }, { trigger.who[1].outcome, trigger.who[1].by })
    answers()
    world:log()
  end)
end)
