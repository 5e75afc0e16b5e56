-- app:redis: messages from channels, in order; what was not heard is told.

local rig   = require "sluice.rig"
local rules = require "spec.support.rules"

describe("a redis source", function()
  local world

  after_each(function() if world then world:close() end end)

  local RULES = [[
    local http = require "sluice.http"
    local room, other = app:topic("room:{id}", { history = { size = 10, ttl = 60 } }), app:topic "other"
    app:stream("s", { path = "/s", topics = function() return { room "a", other() } end })
    local bus = app:redis("bus", { %s topics = room })
    bus:on("message", function(ev)
      if ev.data == "wait" then http.get "http://x/wait" end
      if ev.data == "raise" then error "as told" end
      if ev.data == "drop" then return ev:drop "it says so" end
      room(ev.channel:match ":(.*)$"):emit("came", ev.data)
    end)
  ]]

  local function load(options, sent) world = rules.load(RULES:format(options or 'pattern = "room:*",'), sent) end

  local function reload(options) rules.reload(world, RULES:format(options)) end

  -- What a tab got but `ready`: "came hello", "resync upstream room:a".
  local function came(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      local data = event.data
      if event.type == "resync" then
        data = data:match '"reason":"(%w+)"' .. " " .. table.concat({ data:match '"topics":%["(.-)"%]' })
      end
      if event.type ~= "ready" then list[#list + 1] = event.type .. " " .. data end
    end
    return list
  end

  local function channels()
    local list = {}
    for _, server in ipairs(world:redis_servers()) do list[#list + 1] = table.concat(server.channels, " ") end
    return list
  end

  it("hears the channels that its pattern takes, and hands them over in order", function()
    load()
    local tab = world:connect "/s"
    assert.equal(1, world:redis_message("room:a", "one"))
    assert.equal(0, world:redis_message("hall:a", "elsewhere"))
    world:redis_message("room:a", "two")
    assert.same({ "came one", "came two" }, came(tab))
    assert.same({ "room:*" }, channels())
  end)

  it("hears one channel, at the server that it names", function()
    load 'channel = "room:a", url = "redis://far:6380/2",'
    local tab = world:connect "/s"
    world:redis_message("room:a", "one")
    assert.equal(0, world:redis_message("room:b", "two"))
    assert.same({ "came one" }, came(tab))
    assert.equal("redis://far:6380/2", world:redis_servers()[1].url)
  end)

  it("gives the handler an event that is nobody's", function()
    world = rules.load [[
      local all = app:topic "all"
      app:redis("bus", { channel = "c" }):on("*", function(ev)
        all():emit("seen", { ev.source, ev.type, ev.channel, ev.key, ev.data, ev:json().n, ev.user or "no user",
                             ev.id or "no id" })
      end)
    ]]
    world:redis_message("c", { n = 7 })
    local trigger = world:triggers("all")[1]
    assert.equal('["bus","message","c","c","{\\"n\\":7}",7,"no user","no id"]', trigger.data)
    assert.is_nil(trigger.user)
    local call = world:explain({ topic = "all" }).apps[1].triggers[1].cause
    assert.same({ "bus", "c", "message" }, { call.source, call.key, call.type })
  end)

  it("handles one message at a time", function()
    load()
    local tab, held = world:connect "/s", world:hold "GET /wait"
    world:redis_message("room:a", "wait")
    world:redis_message("room:b", "wait")
    world:redis_message("room:a", "last")
    assert.same({}, came(tab))
    assert.equal(1, held.count)
    held:answer {}
    held:answer {}
    assert.same({ "came wait", "came last" }, came(tab))
  end)

  it("counts what is dropped and goes on", function()
    load()
    local tab = world:connect "/s"
    world:redis_message("room:a", "drop")
    world:redis_message("room:a", "one")
    assert.same({ "came one" }, came(tab))
    assert.equal(1, world:counters().events_dropped)
    assert.same({ messages = 2, failed = 0, gaps = 1, lost = 0 }, world:redis_counters())
  end)

  describe("tells to re-read", function()
    it("who has one of its topics, when a handler fails", function()
      load()
      local tab = world:connect "/s"
      world:redis_message("room:a", "raise")
      world:redis_message("room:a", "next")
      assert.same({ "resync rule room:a", "came next" }, came(tab))
      assert.equal(1, world:redis_counters().failed)
      world:log()
    end)

    it("after the connection was lost, once it listens again", function()
      load()
      local tab = world:connect "/s"
      world:redis_message("room:a", "one")
      world:redis_down()
      assert.equal(0, world:redis_message("room:a", "unheard"))
      assert.same({ "came one" }, came(tab))
      world:redis_up()
      world:redis_message("room:a", "two")
      assert.same({ "came one", "resync upstream room:a", "came two" }, came(tab))
      assert.truthy(world:log():find('msg="source lost" source=bus why="the spec said so"', 1, true))
    end)

    it("who came before it listened for the first time", function()
      load(nil, { redis_down = true })
      local tab = world:connect "/s"
      world:redis_up()
      assert.same({ "resync upstream room:a" }, came(tab))
    end)

    it("who comes back later, from before the gap", function()
      load()
      local tab = world:connect "/s"
      world:redis_message("room:a", "one")
      tab:cut()
      world:redis_down()
      world:redis_up()
      assert.same({ "resync upstream room:a" }, came(tab:reconnect()))
    end)

    it("where more came than it may keep, at that place", function()
      load 'pattern = "room:*", queue = 3,'
      local tab, held = world:connect "/s", world:hold "GET /wait"
      world:redis_message("room:a", "wait")
      for i = 1, 6 do world:redis_message("room:a", tostring(i)) end
      held:answer {}
      world:redis_message("room:a", "later")
      assert.same({ "came wait", "came 1", "came 2", "came 3", "resync upstream room:a", "came later" }, came(tab))
      assert.equal(2, world:redis_counters().gaps) -- with the one at its beginning
    end)

    it("all topics, where it names none", function()
      world = rules.load [[
        local room, other = app:topic "room:{id}", app:topic "other"
        app:stream("s", { path = "/s", topics = function() return { room "a", other() } end })
        app:redis("bus", { channel = "c" }):on("message", function() error "as told" end)
      ]]
      local tab = world:connect "/s"
      world:redis_message("c", "x")
      local got = came(tab)
      table.sort(got)
      assert.same({ "resync rule other", "resync rule room:a" }, got)
      world:log()
    end)
  end)

  describe("over a reload", function()
    it("stays as it is, and its next message is the new rules'", function()
      load()
      local tab = world:connect "/s"
      reload 'pattern = "room:*", queue = 5,'
      world:redis_message("room:a", "one")
      assert.same({ "came one" }, came(tab))
      assert.equal(1, world:redis_counters().gaps)
    end)

    it("is subscribed anew with another pattern, which is a gap", function()
      load()
      local tab = world:connect "/s"
      reload 'pattern = "hall:*",'
      assert.same({ "hall:*" }, channels())
      assert.equal(0, world:redis_message("room:a", "gone"))
      world:redis_message("hall:a", "new")
      assert.same({ "resync upstream room:a", "came new" }, came(tab))
    end)

    it("handles what waits by the new rules, though the channel is another one", function()
      load()
      local tab, held = world:connect "/s", world:hold "GET /wait"
      world:redis_message("room:a", "wait")
      world:redis_message("room:a", "last")
      reload 'pattern = "hall:*",'
      held:answer {}
      assert.same({ "came wait", "came last", "resync upstream room:a" }, came(tab))
    end)

    it("ends where no rule declares it, after what had come", function()
      load()
      local tab, held = world:connect "/s", world:hold "GET /wait"
      world:redis_message("room:a", "wait")
      rules.reload(world, [[
        local room = app:topic("room:{id}", { history = { size = 10, ttl = 60 } })
        app:stream("s", { path = "/s", topics = function() return { room "a" } end })
      ]])
      assert.same({}, channels())
      held:answer {}
      assert.equal("came wait", came(tab)[#came(tab)])
    end)
  end)

  it("closes with a drain, and leaves nothing", function()
    load()
    world:drain()
    assert.same({}, channels())
  end)

  describe("of one node of several", function()
    it("listens while it holds its name", function()
      load(nil, { clustered = true })
      local tab = world:connect "/s"
      world:redis_message("room:a", "one")
      assert.same({ ["redis:demo:bus"] = true }, world:held())
      world:elsewhere(true)
      assert.same({}, channels())
      assert.same({ ["redis:demo:bus"] = false }, world:held())
      assert.equal(0, world:redis_message("room:a", "another's"))
      world:elsewhere(false)
      world:redis_message("room:a", "two")
      assert.same({ "came one", "resync upstream room:a", "came two" }, came(tab))
    end)

    it("begins no handler once another has it, heard of it or not", function()
      load(nil, { clustered = true })
      local tab, held = world:connect "/s", world:hold "GET /wait"
      world:redis_message("room:a", "wait")
      world:redis_message("room:a", "one")
      world:elsewhere(true, "untold")
      held:answer {}
      world:redis_message("room:a", "two")
      assert.same({ "came wait" }, came(tab))
      world:elsewhere(true)
      world:elsewhere(false)
      assert.same({ "came wait", "resync upstream room:a" }, came(tab))
    end)

    it("keeps its name where it is declared again before what it brought is handled", function()
      load(nil, { clustered = true })
      local tab, held = world:connect "/s", world:hold "GET /wait"
      world:redis_message("room:a", "wait")
      rules.reload(world, [[
        local room = app:topic("room:{id}", { history = { size = 10, ttl = 60 } })
        app:topic "other"
        app:stream("s", { path = "/s", topics = function() return room "a" end })
      ]])
      assert.same({ {}, { ["redis:demo:bus"] = true } }, { channels(), world:held() })
      reload 'pattern = "room:*",'
      assert.same({ { "room:*" }, { ["redis:demo:bus"] = true } }, { channels(), world:held() })
      world:redis_message("room:a", "next")
      held:answer {}
      local got = came(tab)
      assert.same({ "resync upstream room:a", "came next" }, { got[#got - 1], got[#got] })
    end)

    it("gives its name back with its declaration", function()
      load(nil, { clustered = true })
      world:run()
      rules.reload(world, "app:topic 'other'")
      assert.same({}, world:held())
    end)
  end)

  it("is compared in the shadow, message by message", function()
    load()
    local text = rules.head(RULES:format('pattern = "room:*",')):gsub('"came", ev.data', '"came", ev.data .. "!"')
    world:run()
    rules.with_file(text, function(path) world:shadow(path) end)
    world:redis_message("room:a", "one")
    local shadowed = world:shadowed()
    assert.same({ 1, 1, 0 }, { shadowed.events, shadowed.different, shadowed.failed })
    assert.equal(1, #world:redis_servers())
    assert.equal(1, #rig.phases() > 0 and 1)
  end)
end)
