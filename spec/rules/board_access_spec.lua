-- Who sees what happens on a board, and who does not: rules/board.lua, with tabs that have a stream each (suppress =
-- "server") and with tabs that share one.

local json      = require "cjson"
local rig       = require "sluice.rig"
local board_app = require "spec.support.board_app"
local rules     = require "spec.support.rules"
local seen      = require "spec.support.seen"
local tree      = require "spec.support.tree"

local KEY = "the key"

describe("a board", function()
  local world, members, asked, cards

  local function load(text)
    local options = { env = { PUBLISH_KEY = KEY } }
    members = { ["7"] = { ann = true, bob = true } }
    world   = text and rules.load_file(text, options) or rig.load("rules/board.lua", options)
    asked   = board_app.serve(world, members)
    cards   = 0
  end

  before_each(function() load() end)
  after_each(function() seen.close(world) end)

  local function connect(user, tag, options)
    local sent = { cookie = "board=" .. user, tag = tag }
    for name, value in pairs(options or {}) do sent[name] = value end
    return world:connect(board_app.path { "7" }, sent)
  end

  local function publish(type, data, options)
    options = options or {}
    data.project = data.project or "7"
    local answer = world:publish("/publish", { type = type, data = data, user = options.user, tag = options.tag },
                                 { key = KEY })
    return answer
  end

  -- The next card moves.
  local function move(options)
    cards = cards + 1
    assert.equal(200, publish("card.moved", { card = "k" .. cards, column = "c", position = 0 }, options).status)
  end

  -- The cards that a tab was told of; resyncs and what is told to the user by their reason or name.
  local function came(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      local data = event.data and json.decode(event.data)
      if event.type == "project-board.7" then list[#list + 1] = data.card or data.type
      elseif event.type ~= "ready" then list[#list + 1] = data.reason or event.type end
    end
    return table.concat(list, " ")
  end

  describe("whose tabs have a stream each", function()
    before_each(function()
      world:close()
      load((tree.read "rules/board.lua":gsub('  suppress = "client"[^\n]*\n', "")))
    end)

    it("reaches every tab of everybody who may read it, not the one that moved the card, and nobody else", function()
      local tags = { "a-tab-of-ann-0001", "a-tab-of-ann-0002", "a-tab-of-bob-0001", "a-tab-of-bob-0002" }
      local tabs = {}
      for i, tag in ipairs(tags) do tabs[i] = connect(i < 3 and "ann" or "bob", tag) end
      members["7"].eve = true
      local eve = connect("eve", "a-tab-of-eve-0001")
      members["7"].eve = nil
      move { user = "ann", tag = tags[1] }
      move { user = "bob", tag = tags[1] }                          -- ann's tag in bob's mouth is no tab of hers
      move { tag = tags[1] }                                        -- and in nobody's
      assert.same({ "k2 k3", "k1 k2 k3", "k1 k2 k3", "k1 k2 k3", "" },
        { came(tabs[1]), came(tabs[2]), came(tabs[3]), came(tabs[4]), came(eve) })
      for _, tab in ipairs(tabs) do
        for _, event in ipairs(tab:events()) do assert.is_nil((event.data or ""):find("session_tag", 1, true)) end
      end
    end)

    it("keeps the echo from a tab that comes back, too", function()
      local one, two = connect("ann", "a-tab-of-ann-0001"), connect("ann", "a-tab-of-ann-0002")
      move()
      one:cut()
      two:cut()
      move { user = "ann", tag = "a-tab-of-ann-0001" }
      one, two = one:reconnect(), two:reconnect()
      assert.same({ "", "k2" }, { came(one), came(two) })
      assert.is_true(one.ready.resumed and two.ready.resumed)
    end)
  end)

  it("is on the shared wire once for all tabs behind it, with the tag for them alone who are the user's", function()
    local ann, other, bob = connect("ann", "the-worker-of-ann"), connect("ann", "her-other-browser"),
      connect("bob", "the-worker-of-bob")
    move { user = "ann", tag = "a-tab-of-ann-0001" }
    assert.same({ "k1", "k1", "k1" }, { came(ann), came(other), came(bob) })
    local function tag(tab) return json.decode(tab:events()[2].data).session_tag end
    assert.same({ "a-tab-of-ann-0001", "a-tab-of-ann-0001" }, { tag(ann), tag(other) })
    assert.is_nil(tag(bob))
  end)

  it("asks the app once an event for a thousand users with three tabs each, and not within its time", function()
    for i = 1, 1000 do members["7"]["u" .. i] = i ~= 500 or nil end
    local as = { topics = { "project-board.7" } }
    local tabs = {}
    for i = 1, 3000 do
      as.user = "u" .. (i - 1) % 1000 + 1
      tabs[i] = connect("x", ("tab-number-%09d"):format(i), { as = as })
    end
    assert.equal(0, #asked)
    move()
    assert.equal(1, #asked)
    assert.equal(1001, #asked[1])                                   -- the project, and each user once
    world:advance(9.9)
    move()
    assert.equal(1, #asked)
    for i, tab in ipairs(tabs) do assert.equal(i % 1000 == 500 and "" or "k1 k2", came(tab)) end
    world:advance(0.1)
    move()
    assert.equal(2, #asked)
  end)

  describe("that somebody may read no more", function()
    it("though nobody tells: shows nothing that is published after the time of an answer", function()
      local bob = connect("bob", "the-worker-of-bob")
      move()
      members["7"].bob = nil
      world:advance(9.99)
      move()
      world:advance(0.01)
      move()
      world:advance(30)
      assert.equal("k1 k2", came(bob))
    end)

    it("at once where the app tells, also of what still waits for a slow client", function()
      local bob = connect("bob", "the-worker-of-bob")
      bob:stall()
      move()
      members["7"].bob = nil
      publish("access.revoked", { member = "bob" })
      bob:unstall()
      move()
      assert.equal("access.revoked", came(bob))
    end)

    it("while a question is under way, whose answer says yes", function()
      local ann, bob = connect("ann", "the-worker-of-ann"), connect("bob", "the-worker-of-bob")
      local held = world:hold "POST /api/readers"
      move()
      assert.equal(200, publish("access.revoked", { member = "bob" }).status)
      held:answer { json = { readers = { "ann", "bob" } } }
      assert.same({ "k1", "access.revoked" }, { came(ann), came(bob) })
    end)

    it("while a question is under way whether a stream may have it", function()
      move()
      local held = world:hold "POST /api/readers"
      local bob = connect("bob", "the-worker-of-bob")
      publish("access.revoked", { member = "bob" })
      held:answer { json = { readers = { "bob" } } }                -- asked before
      assert.equal(200, bob.status)
      members["7"].bob = nil
      board_app.serve(world, members)
      move()
      world:advance(5)
      assert.equal("", came(bob))
    end)

    it("while the app is away: nothing then, and nothing when it is back", function()
      local ann, bob = connect("ann", "the-worker-of-ann"), connect("bob", "the-worker-of-bob")
      world:fail("POST /api/readers", "refused")
      move()
      members["7"].bob = nil
      board_app.serve(world, members)
      world:advance(60)
      move()
      assert.same({ "access k2", "" }, { came(ann), came(bob) })
      world:log()
    end)
  end)

  it("is shown again at once to whom the app gives it back", function()
    local bob = connect("bob", "the-worker-of-bob")
    members["7"].bob = nil
    move()
    members["7"].bob = true
    publish("access.granted", { member = "bob" })
    move()
    assert.equal("access.granted k2", came(bob))
  end)

  it("misses nothing for who comes back while a question is under way", function()
    local ann, bob = connect("ann", "the-worker-of-ann"), connect("bob", "the-worker-of-bob")
    move()
    ann:cut()
    bob:cut()
    world:advance(11)
    move()                                                          -- nobody looks: it is in the history
    local held = world:hold "POST /api/readers"
    local function answer() held:answer { json = { readers = { "ann", "bob" } } } end
    ann = ann:reconnect()
    answer()                                                        -- its `subscribe`; what it missed is asked about
    assert.equal(2, held.count)
    move()                                                          -- joins that
    bob = bob:reconnect()
    move()
    held:answer { json = { readers = { "ann" } } }                  -- what ann missed: bob was not there
    assert.same({ "k2 k3 k4", "" }, { came(ann), came(bob) })
    held:answer { json = { readers = { "bob" } } }                  -- bob's `subscribe`
    move()
    answer()                                                        -- what bob missed
    assert.equal(4, held.count)
    world:advance(1)
    assert.same({ "k2 k3 k4 k5", "k2 k3 k4 k5" }, { came(ann), came(bob) })
  end)

  it("is not known to have no readers because the app's answer names none", function()
    local ann = connect("ann", "the-worker-of-ann")
    world:reply("POST /api/readers", { json = { error = "maintenance" } })
    move()
    assert.equal(503, connect("bob", "the-worker-of-bob").status)
    board_app.serve(world, members)
    world:advance(5)
    assert.equal("access", came(ann))
    world:log()
  end)

  it("lets cards move with a column that goes, and with nothing else", function()
    local ann = connect("ann", "the-worker-of-ann")
    assert.equal(200, publish("column.deleted", { column = "c", cards = json.null }).status)
    assert.equal(200, publish("column.updated", { column = "c", name = "N", cards = { { card = "k1" } } }).status)
    assert.equal(200, publish("column.deleted", { column = "c", cards = { { card = "k1" }, { card = "k2" } } }).status)
    assert.equal("column.deleted column.updated k1 k2 column.deleted", came(ann))
  end)

  it("publishes all events of a request or none, and keeps the cards with their column", function()
    local ann = connect("ann", "the-worker-of-ann")
    local function send(...)
      local list = {}
      for i, data in ipairs { ... } do
        data.project = "7"
        list[i] = { type = data.column and "column.deleted" or "card.moved", data = data }
      end
      return world:publish("/publish", list, { key = KEY })
    end
    assert.equal(500, send({ card = "k1" }, { column = "c", cards = { { card = "k2" }, 1 } }).status)
    assert.equal("", came(ann))
    world:log()
    assert.equal(200, send({ card = "k1" }, { column = "c", cards = { { card = "k2" } } }).status)
    assert.equal("k1 k2 column.deleted", came(ann))
  end)
end)
