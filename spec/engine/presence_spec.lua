-- Presence of users on topics: who is there, when it changes, and what rules are told.

local null  = require("cjson.safe").null
local rig   = require "sluice.rig"
local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local RULES = "spec/fixtures/presence.lua"

describe("presence", function()
  local world, env

  local function load(settings)
    env = settings or {}
    world = rig.load(RULES, { env = env })
    return world
  end
  after_each(function() seen.close(world) end)

  local function tab(user, options)
    options = options or {}
    options.headers = { ["x-user"] = user }
    return world:connect(options.path or "/events", options)
  end

  -- What rules were told so far, and forgets it.
  local told_before = 0
  before_each(function() told_before = 0 end)
  local function told()
    local list, all = {}, world:triggers "log"
    for i = told_before + 1, #all do
      if all[i].type ~= "begun" then list[#list + 1] = all[i].data end
    end
    told_before = #all
    return list
  end

  local function who(room) return world:request("GET", "/who/" .. (room or "a")).json end
  local function beat(user, tag, room)
    return world:request("POST", "/beat/" .. (room or "a"), { headers = { ["x-user"] = user }, tag = tag }).body
  end

  describe("of users", function()
    before_each(function() load() end)

    it("is told at the first tab and a grace after the last, not for those between", function()
      local one = tab "ann"
      assert.same({ "ann online 1/a" }, told())
      local two = tab "ann"
      one:close()
      world:advance(60)
      two:close()
      assert.same({}, told())
      world:advance(4.999)
      assert.same({}, told())
      assert.same({ list = { "ann" }, count = 1, ann = true }, who())
      world:advance(0.001)
      assert.same({ "ann offline 1/a" }, told())
      assert.same({ list = {}, count = 0, ann = false }, who())
    end)

    it("knows no change where somebody is back within the grace", function()
      local one = tab "ann"
      for _ = 1, 10 do
        one:close()
        world:advance(4.999)
        one = tab "ann"
        world:advance(1)
      end
      assert.same({ "ann online 1/a" }, told())
      one:close()
      world:advance(5)
      assert.same({ "ann offline 1/a" }, told())
      tab "ann"
      assert.same({ "ann online 1/a" }, told())
    end)

    it("is each topic's own", function()
      local both = tab("ann", { query = { topic = "room:2/b" } })
      local one = tab("bob", { query = { house = "2", room = "b" } })
      assert.same({ "ann online 1/a", "ann online 2/b", "bob online 2/b" }, told())
      assert.same({ "ann" }, who().list)
      both:close()
      world:advance(5)
      assert.same({ "ann offline 1/a", "ann offline 2/b" }, told())
      one:close()
      world:advance(5)
      assert.same({ "bob offline 2/b" }, told())
    end)

    it("lists them sorted by their bytes", function()
      for _, user in ipairs { "zoe", "ann", "Bob", "annette", "\195\164nn", "an" } do tab(user) end
      assert.same({ list = { "Bob", "an", "ann", "annette", "zoe", "\195\164nn" }, count = 6, ann = true }, who())
    end)

    it("does not count subscribers without a user, nor topics without presence", function()
      world:connect "/nobody"
      assert.same({ list = {}, count = 0, ann = false }, who())
      tab("ann", { query = { topic = "plain:1" } })
      assert.same({ "ann online 1/a" }, told())
      local answer = world:request("GET", "/plain")
      assert.equal(500, answer.status)
      local lines, errors = world:log()
      assert.equal(1, errors)
      assert.truthy(lines:find("app:presence: no app:topic declares 'plain:1' with presence", 1, true), lines)
    end)

    it("is there for the stream's own connect", function()
      tab("ann", { path = "/early" })
      assert.same({ "true", "ann online 1/early" }, told())
    end)

    it("counts who is sent away as gone", function()
      tab "ann"
      tab "ann"
      world:request("POST", "/kick", { headers = { ["x-user"] = "ann" } })
      told()
      world:advance(5)
      assert.same({ "ann offline 1/a" }, told())
    end)

    it("counts who takes nothing as gone, a stall and a grace later", function()
      local one = tab "ann"
      told()
      one:stall()
      world:advance(20 + 30 - 0.001)
      assert.is_true(one:is_open())
      world:advance(0.001)
      assert.is_false(one:is_open())
      assert.equal("slow", one.why)
      world:advance(4.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.same({ "ann offline 1/a" }, told())
    end)

    it("is not told of where the node drains", function()
      local one = tab "ann"
      tab "bob"
      one:close()
      told()
      world:drain()
      world:advance(60)
      assert.same({}, told())
    end)
  end)

  it("of a topic without grace ends with the last tab", function()
    load { GRACE = "0" }
    local one = tab "ann"
    one:close()
    assert.same({ "ann online 1/a", "ann offline 1/a" }, told())
  end)

  describe("under a change that takes its time", function()
    local held

    before_each(function()
      load { SLOW = "yes", GRACE = "1" }
      held = world:hold "POST /change"
    end)

    it("is told in order, one call at a time for one user", function()
      local one = tab "ann"
      assert.equal(1, held.count)
      one:close()
      world:advance(2)
      assert.equal(1, held.count)
      held:answer { status = 204 }
      assert.equal(2, held.count)
      held:answer { status = 204 }
      assert.same({ "ann online 1/a", "ann offline 1/a" }, told())
    end)

    it("tells what it comes to: who was away and is back has not been away", function()
      local one = tab "ann"
      for _ = 1, 3 do
        one:close()
        world:advance(1.5)
        one = tab "ann"
      end
      held:answer { status = 204 }
      assert.equal(1, held.count)
      one:close()
      world:advance(1.5)
      held:answer { status = 204 }
      assert.same({ "ann online 1/a", "ann offline 1/a" }, told())
    end)

    it("keeps other users from nothing", function()
      tab "ann"
      tab "bob"
      assert.equal(2, held.count)
      assert.same({ "ann", "bob" }, who().list)
      held:answer { status = 204 }
      held:answer { status = 204 }
    end)

    it("has 64 calls wait at once, and the others behind them", function()
      for i = 1, 100 do tab(("u%03d"):format(i)) end
      assert.equal(64, held.count)
      for _ = 1, 100 do held:answer { status = 204 } end
      assert.equal(100, held.count)
      assert.equal(100, #told())
    end)

    it("tells to its end what was under way when the node drains", function()
      tab "ann"
      world:drain()
      held:answer { status = 204 }
      assert.same({ "ann online 1/a" }, told())
    end)
  end)

  it("tells the topic to re-read where changes fail, once a second", function()
    load { SLOW = "yes" }
    world:reply("POST /change", { status = 500 })
    local one = tab "ann"
    tab "bob"
    local lines, errors = world:log()
    assert.equal(2, errors, lines)
    assert.truthy(lines:find('in="presence change of topic room:{house}/{room}"', 1, true), lines)
    world:advance(1)
    assert.same({ { reason = "rule", missed = null, topics = { "room:1/a" } } }, seen.resyncs(one))
    assert.same({}, told())
    world:reply("POST /change", { status = 204 })
    one:close()
    world:advance(5)
    assert.same({ "ann offline 1/a" }, told())
  end)

  describe("with beats", function()
    before_each(function() load { BEAT = "30" } end)

    it("is a beat and a subscriber", function()
      local one = tab "ann"
      assert.same({}, told())
      assert.equal("true", beat("ann", one.tag))
      assert.same({ "ann online 1/a" }, told())
      for _ = 1, 5 do
        world:advance(29.999)
        beat("ann", one.tag)
      end
      assert.same({}, told())
      world:advance(29.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.is_true(one:is_open())
      assert.same({ "ann offline 1/a" }, told())
      beat("ann", one.tag)
      assert.same({ "ann online 1/a" }, told())
      one:close()
      world:advance(5)
      assert.same({ "ann offline 1/a" }, told())
    end)

    it("is kept up by any tab of the user that has the topic", function()
      local one, two = tab "ann", tab "ann"
      local elsewhere = tab("ann", { query = { room = "b" } })
      beat("ann", one.tag)
      told()
      world:advance(20)
      assert.equal("true", beat("ann", two.tag))
      world:advance(20)
      assert.equal("false", beat("ann", elsewhere.tag))
      assert.equal("false", beat("ann", "a-tab-of-nobody-01"))
      world:advance(9.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.same({ "ann offline 1/a" }, told())
      assert.equal("true", beat("ann", false))
      assert.same({ "ann online 1/a" }, told())
    end)

    it("does not count of whom there is no subscriber, nor for another user", function()
      assert.equal("false", beat("ann", false))
      local one = tab "ann"
      assert.equal("false", beat("bob", one.tag))
      assert.same({}, told())
      assert.same({}, who().list)
    end)

    it("counts within the grace, but does not lengthen it", function()
      local one = tab "ann"
      beat("ann", one.tag)
      told()
      one:close()
      world:advance(4)
      assert.equal("true", beat("ann", false))
      world:advance(1)
      assert.same({ "ann offline 1/a" }, told())
    end)
  end)

  it("with beats begins anew for who comes anew, also while a change of before is still told", function()
    load { BEAT = "30", SLOW = "yes", GRACE = "1" }
    local held = world:hold "POST /change"
    local one = tab "ann"
    beat("ann", one.tag)
    one:close()
    world:advance(2)
    tab "ann"
    assert.same({}, who().list)
    held:answer { status = 204 }
    held:answer { status = 204 }
    assert.same({ "ann online 1/a", "ann offline 1/a" }, told())
  end)

  it("without beats refuses them", function()
    load()
    assert.equal(500, world:request("POST", "/beat/a", { headers = { ["x-user"] = "ann" } }).status)
    local lines = world:log()
    assert.truthy(lines:find("declared without beats: presence = { beat = seconds }", 1, true), lines)
  end)

  describe("over a reload", function()
    it("stays, and graces end when they would have", function()
      load()
      tab "ann"
      local two = tab "bob"
      two:close()
      world:advance(3)
      told()
      for _ = 1, 3 do world:reload(RULES) end
      assert.same({ "ann", "bob" }, who().list)
      world:advance(1.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.same({ "bob offline 1/a" }, told())
      world:advance(60)
      assert.same({}, told())
    end)

    it("stays, and beats count from when they came", function()
      load { BEAT = "30" }
      local one = tab "ann"
      beat("ann", one.tag)
      told()
      world:advance(20)
      world:reload(RULES)
      world:advance(9.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.same({ "ann offline 1/a" }, told())
    end)

    it("has the grace of the new rules from then on", function()
      load()
      local one = tab "ann"
      env.GRACE = "50"
      world:reload(RULES)
      told()
      one:close()
      world:advance(49.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.same({ "ann offline 1/a" }, told())
    end)

    it("gives a page a whole beat's time where beats are new, and needs none where they are gone", function()
      load()
      local one = tab "ann"
      told()
      world:advance(100)
      env.BEAT = "30"
      world:reload(RULES)
      world:advance(29.999)
      assert.same({}, told())
      world:advance(0.001)
      assert.same({ "ann offline 1/a" }, told())
      env.BEAT = "0"
      world:reload(RULES)
      assert.same({ "ann online 1/a" }, told())
      assert.is_true(one:is_open())
    end)

    it("tells the new rules what is due", function()
      load { SLOW = "yes", GRACE = "1" }
      local held = world:hold "POST /change"
      local one = tab "ann"
      one:close()
      world:advance(2)
      env.SLOW = nil
      world:reload(RULES)
      held:answer { status = 204 }
      assert.same({ "ann online 1/a", "ann offline 1/a" }, told())
      assert.equal(1, held.count)
    end)

    it("is forgotten without a word where it is no longer declared, and begins anew where it is again", function()
      load()
      local one, two = tab "ann", tab "bob"
      two:close()
      told()
      world:reload "spec/fixtures/presence_none.lua"
      world:advance(60)
      assert.same({}, told())
      one:close()
      one = tab "ann"
      local cid = tab "cid"
      world:reload(RULES)
      assert.same({ "ann online 1/a", "cid online 1/a" }, told())
      one:close()
      cid:close()
      world:advance(5)
      assert.same({ "ann offline 1/a", "cid offline 1/a" }, told())
    end)
  end)

  it("is nothing that rules in the shadow of others can change", function()
    local function text(handler)
      return ([[
        local me   = sluice.identity(function() return { user = "ann" } end)
        local room = app:topic("room", { subscribe = false, presence = { beat = 30 } })
        local feed = app:upstream("feed", { key = function(sub) return sub.user end, topic = app:topic "user:{user}",
          request = function() return "http://feed.test/events" end })
        feed:on("note", function(ev) %s end)
        app:stream("events", { path = "/events", identity = me, upstreams = { feed },
          topics = function() return room() end })
        app:route("count", "GET /count", { run = function() return 200, tostring(app:presence "room":count()) end })]])
        :format(handler)
    end
    local BEATS = "app:presence(room()):beat(ev.key)"
    world = rules.load(text "")
    world:connect "/events"
    rules.with_file(rules.head(text(BEATS)), function(path) world:shadow(path) end)
    world:upstream("feed", "ann"):send "note"
    assert.equal(1, world:shadowed().events)
    assert.equal("0", world:request("GET", "/count").body)
    world:shadow(nil)
    rules.reload(world, text(BEATS))
    world:upstream("feed", "ann"):send "note"
    assert.equal("1", world:request("GET", "/count").body)
  end)
end)
