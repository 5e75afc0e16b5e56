-- Echoes: what a tab caused comes back to the user's other tabs, and not to itself.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

local TAG, OTHER = ("a"):rep(16), ("b"):rep(16)

describe("an echo", function()
  local world

  local function connect(user, path, options)
    options = options or {}
    options.headers = { ["x-user"] = user }
    return world:connect(path or "/events", options)
  end

  -- Says one word, as a request of this tab's page.
  local function say(tab, word, options, sent)
    sent = sent or {}
    sent.json = { { "said", word, options } }
    assert.equal(204, tab:post(sent.path or "/emit", sent).status)
  end

  local function heard(tab) return seen.data(tab, "said") end

  before_each(function() world = rig.load "spec/fixtures/hall.lua" end)
  after_each(function() seen.close(world) end)

  it("is not sent to the tab that caused it, but to all others", function()
    local tab, second, bob = connect "ann", connect "ann", connect "bob"
    say(tab, "hello")
    assert.same({}, heard(tab))
    assert.same({ "hello" }, heard(second))
    assert.same({ "hello" }, heard(bob))
  end)

  it("is told by user and tag: another user's same tag is none", function()
    local ann, bob = connect("ann", nil, { tag = TAG }), connect("bob", nil, { tag = TAG })
    say(ann, "hello")
    assert.same({}, heard(ann))
    assert.same({ "hello" }, heard(bob))
  end)

  it("is none where nobody is known to have caused it", function()
    local ann = connect "ann"
    say(ann, "hello", nil, { path = "/anonymous" })
    assert.same({ "hello" }, heard(ann))
  end)

  it("is known by the tag of the header before that of the query", function()
    local by_header = connect("ann", "/events?tag=" .. OTHER, { tag = TAG })
    local by_query = connect("ann", "/events?tag=" .. OTHER, { tag = false })
    assert.equal(TAG, by_header.ready.tag)
    assert.equal(OTHER, by_query.ready.tag)
    say(by_header, "one", nil, { path = "/emit?tag=" .. OTHER })
    say(by_header, "two", nil, { path = "/emit?tag=" .. OTHER, tag = false })
    assert.same({ "two" }, heard(by_header))
    assert.same({ "one" }, heard(by_query))
  end)

  it("is known by an explicit tag before the request's", function()
    local one, two = connect("ann", nil, { tag = TAG }), connect("ann", nil, { tag = OTHER })
    say(one, "hello", { tag = OTHER })
    assert.same({ "hello" }, heard(one))
    assert.same({}, heard(two))
  end)

  it("is none for an emit that says so, and for a tag that is malformed", function()
    local tab = connect("ann", nil, { tag = TAG })
    say(tab, "hello", { tag = false })
    say(tab, "again", { tag = "short" })
    assert.same({ "hello", "again" }, heard(tab))
  end)

  it("belongs to the user whom the emit names", function()
    local ann, bob = connect("ann", nil, { tag = TAG }), connect("bob", nil, { tag = TAG })
    say(ann, "hello", { user = "bob" })
    assert.same({ "hello" }, heard(ann))
    assert.same({}, heard(bob))
  end)

  it("of what came by a link belongs to the link's user", function()
    local ann, bob = connect("ann", "/fed", { tag = TAG }), connect("bob", "/fed", { tag = TAG })
    world:upstream("feed", "ann"):send("item", { "said", "hello", { tag = TAG } })
    assert.same({}, heard(ann))
    assert.same({ "hello" }, heard(bob))
  end)

  it("is not replayed to the tab that caused it while it was away", function()
    local tab, second = connect("ann", nil, { tag = TAG }), connect "ann"
    tab:cut()
    say(tab, "mine")
    say(second, "another's")
    local back = tab:reconnect()
    assert.same({ "another's" }, heard(back))
    assert.equal(1, back.ready.missed)
  end)

  it("is replayed to another user's tab of that name", function()
    local ann, bob = connect("ann", nil, { tag = TAG }), connect("bob", nil, { tag = TAG })
    bob:cut()
    say(ann, "hello")
    assert.same({ "hello" }, heard(bob:reconnect()))
  end)

  it("is sent to everybody where the stream suppresses nothing", function()
    local tab = connect("ann", "/echoing")
    say(tab, "hello")
    assert.same({ "hello" }, heard(tab))
  end)

  describe("for the client to skip", function()
    it("carries the tag in its object, and another user's does not", function()
      local ann, bob = connect("ann", "/shared", { tag = TAG }), connect("bob", "/shared")
      say(ann, { word = "hello" })
      assert.same({ { word = "hello", session_tag = TAG } }, seen.json(ann, "said"))
      assert.same({ { word = "hello" } }, seen.json(bob, "said"))
    end)

    it("carries it for all tabs of the user, and when it is replayed", function()
      local tab, second = connect("ann", "/shared", { tag = TAG }), connect("ann", "/shared")
      second:cut()
      say(tab, {})
      assert.same({ { session_tag = TAG } }, seen.json(second:reconnect(), "said"))
    end)

    it("stays as it is where its data is no object, or has a tag of its own", function()
      local tab = connect("ann", "/shared", { tag = TAG })
      say(tab, "plain")
      say(tab, { session_tag = OTHER })
      assert.same({ "plain", '{"session_tag":"' .. OTHER .. '"}' }, heard(tab))
    end)
  end)

  describe("of a duplicated tab", function()
    local first, copy

    before_each(function()
      first, copy = connect("ann", nil, { tag = TAG }), connect("ann", nil, { tag = TAG })
    end)

    it("is its own, because ready gives it another name", function()
      assert.equal(TAG, first.ready.tag)
      assert.are_not.equal(TAG, copy.ready.tag)
      assert.equal(copy.ready.tag, copy.ready.tag:match "^[%w_-]+$")
      assert.is_true(#copy.ready.tag >= 16 and #copy.ready.tag <= 64)
      say(first, "first's")
      say(copy, "copy's")
      assert.same({ "copy's" }, heard(first))
      assert.same({ "first's" }, heard(copy))
    end)

    it("is nobody else's business: another user keeps the same name", function()
      assert.equal(TAG, connect("bob", nil, { tag = TAG }).ready.tag)
    end)

    it("does not rename a tab that comes back after its old stream ended", function()
      copy:cut()
      assert.equal(TAG, first:reconnect().ready.tag)
    end)

    it("is not replayed where the tab comes back before its old stream is known to be dead", function()
      say(first, "mine")
      local id = first:events()[1].id
      local back = connect("ann", nil, { tag = TAG, last_event_id = id })
      assert.are_not.equal(TAG, back.ready.tag)
      assert.same({}, heard(back))
    end)
  end)

  for what, tag in pairs { short = ("a"):rep(15), long = ("a"):rep(65), odd = ("a"):rep(15) .. "!" } do
    it("cannot be told by a tag that is too " .. what .. ": 400", function()
      for _, answer in ipairs {
        world:request("GET", "/events", { tag = tag }),
        world:request("GET", "/events?tag=" .. tag:gsub("!", "%%21")),
        world:request("POST", "/emit", { tag = tag, json = {} }),
      } do
        assert.equal(400, answer.status)
        assert.equal("bad_tag", answer.json.error.code)
      end
    end)
  end
end)
