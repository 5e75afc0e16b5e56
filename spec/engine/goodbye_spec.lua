-- How rules end streams: with a last event, and so that the client comes back or does not.

local rig = require "sluice.rig"

describe("a stream that a rule ends", function()
  local world

  local function connect(path, user, options)
    options = options or {}
    options.headers = { ["x-user"] = user }
    return world:connect(path, options)
  end

  local function kick(who, how)
    local answer = world:request("POST", "/kick", { json = { who = who, how = how } })
    return answer.status == 200 and tonumber(answer.body) or answer.status
  end

  before_each(function() world = rig.load "spec/fixtures/goodbye.lua" end)
  after_each(function() world:close() end)

  it("gets the named event behind all that was published, and ends", function()
    local ann, tab, bob = connect("/events", "ann"), connect("/other", "ann"), connect("/events", "bob")
    assert.equal("2", world:request("POST", "/published/ann").body)
    for _, one in ipairs { ann, tab } do
      assert.same({ "last", "bye" }, one:types())
      assert.equal('{"why":"maintenance"}', one:events()[3].data)
      assert.is_false(one:is_open())
      assert.equal("kicked", one.why)
    end
    assert.is_true(bob:is_open())
    assert.same({}, bob:types())
  end)

  it("is closed by its handle in the same way", function()
    local ann = connect("/events", "ann")
    assert.equal("true", world:request("POST", "/close/ann", { json = { event = "bye" } }).body)
    assert.same({ "bye" }, ann:types())
    assert.equal("{}", ann:events()[2].data)
    assert.is_false(ann:is_open())
    assert.equal("", world:request("POST", "/close/ann", { json = { event = "bye" } }).body)
  end)

  it("gets it though a question is open, whose trigger it gets when it comes back", function()
    local held = world:hold "GET /may"
    local ann = connect("/events", "ann")
    world:request("POST", "/emit/ann/asked", { body = "1" })
    world:request("POST", "/emit/ann/plain", { body = "2" })
    assert.equal(1, kick({ user = "ann" }, { event = "bye" }))
    assert.same({ "bye" }, ann:types())
    world:reply("GET /may", { status = 200 })
    local back = ann:reconnect()
    assert.same({ "asked", "plain" }, back:types())
    assert.falsy(held.answered)
  end)

  it("may come back, unless it was ended for good", function()
    local ann = connect("/events", "ann")
    kick { user = "ann" }
    assert.equal(200, ann:reconnect().status)
    assert.equal(1, kick({ user = "ann" }, { final = true }))
    local refused = ann:reconnect()
    assert.equal(204, refused.status)
    assert.equal("no-store", refused.headers["cache-control"])
  end)

  it("was ended for good for a minute, as this stream, user and tag", function()
    local ann = connect("/events", "ann", { tag = "tab-of-ann-000001" })
    connect("/events", "ann", { tag = "tab-of-ann-000002" })
    assert.equal(1, kick({ user = "ann", tag = "tab-of-ann-000001" }, { event = "bye", final = true }))
    assert.same({ "bye" }, ann:types())
    assert.equal(200, connect("/other", "ann", { tag = "tab-of-ann-000001" }).status)
    assert.equal(200, connect("/events", "ann", { tag = "tab-of-ann-000003" }).status)
    assert.equal(200, connect("/events", "bob", { tag = "tab-of-ann-000001" }).status)
    world:advance(59)
    assert.equal(204, ann:reconnect().status)
    world:advance(1)
    assert.equal(200, ann:reconnect().status)
  end)

  it("says so to who asks for its head alone", function()
    local function head(path, user, tag)
      return world:request("HEAD", path, { headers = { ["x-user"] = user }, tag = tag })
    end
    connect("/events", "ann", { tag = "tab-of-ann-000001" })
    assert.equal(200, head("/events", "ann", "tab-of-ann-000001").status)
    kick({ user = "ann" }, { final = true })
    local answer = head("/events", "ann", "tab-of-ann-000001")
    assert.same({ 204, "no-store" }, { answer.status, answer.headers["cache-control"] })
    assert.equal(200, head("/other", "ann", "tab-of-ann-000001").status)
    assert.equal(200, head("/events", "bob", "tab-of-ann-000001").status)
    assert.equal(401, head("/events", nil, "tab-of-ann-000001").status)
    world:connect("/open", { tag = "tab-of-nobody-001" })
    kick(nil, { final = true })
    assert.equal(204, head("/open", nil, "tab-of-nobody-001").status)
    world:advance(60)
    assert.equal(200, head("/events", "ann", "tab-of-ann-000001").status)
  end)

  it("is asked who it is first: nobody learns from the answer who was ended", function()
    connect("/events", "ann", { tag = "tab-of-ann-000001" })
    kick({ user = "ann" }, { final = true })
    assert.equal(401, connect("/events", nil, { tag = "tab-of-ann-000001" }).status)
  end)

  it("that has neither user nor tag cannot be ended for good", function()
    local one = world:connect("/open", { tag = false })
    assert.equal(1, kick(nil, { final = true }))
    assert.is_false(one:is_open())
    assert.equal(200, world:connect("/open", { tag = false }).status)
    local tagged = world:connect("/open", { tag = "tab-of-nobody-001" })
    kick(nil, { final = true })
    assert.equal(204, tagged:reconnect().status)
  end)

  it("is known by the tag that it asked for, not by the one that it got", function()
    connect("/events", "ann", { tag = "tab-of-ann-000001" })
    local twin = connect("/events", "ann", { tag = "tab-of-ann-000001" })
    assert.not_equal("tab-of-ann-000001", twin.tag)
    assert.equal(1, kick({ user = "ann", tag = twin.tag }, { final = true }))
    assert.equal(204, connect("/events", "ann", { tag = "tab-of-ann-000001" }).status)
  end)

  it("stays ended through a reload", function()
    local ann = connect("/events", "ann")
    kick({ user = "ann" }, { final = true })
    world:reload "spec/fixtures/goodbye.lua"
    assert.equal(204, ann:reconnect().status)
  end)

  describe("while it is on its way in", function()
    it("is refused as soon as what is asked about it is answered", function()
      for path, status in pairs { ["/slow"] = 503, ["/retry"] = 200 } do
        local held = world:hold "GET /topics"
        local tab = connect(path, "ann")
        local bob = connect(path, "bob")
        assert.equal(1, kick { user = "ann" })
        held:answer { status = 200 }
        held:answer { status = 200 }
        world:run()
        tab:read()
        bob:read()
        assert.equal(status, tab.status)
        assert.is_false(tab:is_open())
        assert.same({}, tab:types())
        assert.is_true(bob:is_open())
        world:reply("GET /topics", { status = 200 })
        assert.is_true(tab:reconnect():is_open())
        kick()
      end
    end)

    it("is refused for good where that is said", function()
      local held = world:hold "GET /topics"
      local tab = connect("/slow", "ann")
      kick { user = "ann" }
      kick({ user = "ann", tag = tab.tag }, { event = "bye", final = true })
      held:answer { status = 200 }
      tab:read()
      assert.equal(204, tab.status)
      assert.equal(204, tab:reconnect().status)
    end)

    it("is not meant before it is known who it is", function()
      local held = world:hold "GET /session"
      local tab = connect("/late", "ann")
      assert.equal(0, kick { user = "ann" })
      held:answer { status = 200 }
      tab:read()
      assert.is_true(tab:is_open())
    end)

    it("may be ended by the very function that is asked about it", function()
      assert.equal(503, connect("/own", "ann").status)
      assert.equal(204, connect("/own", "fin").status)
    end)
  end)

  it("is ended only by options that are right", function()
    for how, words in pairs {
      ['{"evnt":"bye"}']             = "unknown option 'evnt'; did you mean 'event'?",
      ['{"event":"a\\nb"}']          = "event must be the name of an event",
      ['{"event":7}']                = "event must be the name of an event",
      ['{"data":{}}']                = "data needs event, which carries it",
      ['{"event":"a","data":true}'] = "data is a boolean, expected a text or a table",
    } do
      local body = '{"who":{"user":"ann"},"how":' .. how .. "}"
      assert.equal(500, world:request("POST", "/kick", { body = body }).status)
      assert.truthy(world:log():find(words, 1, true), words)
      world:advance(10)
    end
  end)
end)
