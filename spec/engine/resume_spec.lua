-- A tab that comes back: nothing lost, nothing doubled, or told.

local rig = require "sluice.rig"
local json = require "cjson.safe"

describe("a tab that comes back", function()
  local world

  local function connect(options)
    options = options or {}
    options.headers = { ["x-user"] = "ann" }
    return world:connect("/events", options)
  end

  local function send(...)
    for _, text in ipairs { ... } do world:upstream("feed", "ann"):send("note", text) end
  end

  local function notes(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "note" then list[#list + 1] = event.data end
    end
    return list
  end

  local function resyncs(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type == "resync" then list[#list + 1] = json.decode(event.data) end
    end
    return list
  end

  before_each(function() world = rig.load "spec/fixtures/feed.lua" end)
  after_each(function() world:close() end)

  it("is told first how it stands", function()
    local tab = connect()
    assert.equal("ready", tab:events()[1].type)
    assert.is_false(tab.ready.resumed)
    assert.equal(2000, tab.retry)
    assert.truthy(tab:events()[1].id ~= "")
  end)

  it("gets what it missed, in order and once", function()
    local keep, tab = connect(), connect()
    send("1", "2")
    tab:cut()
    send("3", "4")
    local back = tab:reconnect()
    send "5"
    assert.is_true(back.ready.resumed)
    assert.equal(2, back.ready.missed)
    assert.same({ "3", "4", "5" }, notes(back))
    assert.same({ "1", "2", "3", "4", "5" }, notes(keep))
    assert.same({}, resyncs(back))
  end)

  it("may give its id as a query parameter; the header wins", function()
    local tab = connect()
    send("1", "2", "3")
    local events = tab:events()
    local first, last
    for _, event in ipairs(events) do
      if event.data == "1" then first = event.id end
      if event.data == "3" then last = event.id end
    end
    local by_query = connect { query = { last_event_id = first } }
    assert.same({ "2", "3" }, notes(by_query))
    local both = connect { query = { last_event_id = first }, last_event_id = last }
    assert.same({}, notes(both))
    assert.is_true(both.ready.resumed)
  end)

  it("moves its cursor by heartbeats while nothing happens to it", function()
    local tab = connect()
    world:connect("/events", { headers = { ["x-user"] = "bob" } })
    local before = tab.last_id
    for i = 1, 400 do world:upstream("feed", "bob"):send("note", tostring(i)) end
    world:advance(21)
    assert.are_not.equal(before, tab.last_id)
    local back = tab:reconnect()
    assert.is_true(back.ready.resumed)
    assert.same({}, resyncs(back))
  end)

  it("is told to re-read what history no longer holds", function()
    local tab = connect()
    send "1"
    tab:cut()
    connect()
    for i = 1, 100 do send(tostring(i)) end
    local back = tab:reconnect()
    assert.is_false(back.ready.resumed)
    assert.equal("history", resyncs(back)[1].reason)
    assert.same({ "user:ann" }, resyncs(back)[1].topics)
    send "new"
    assert.same({ "new" }, notes(back))
  end)

  it("is told to re-read what has timed out", function()
    local tab = connect()
    connect()
    tab:cut()
    send "1"
    world:advance(301)
    local back = tab:reconnect()
    assert.equal("history", resyncs(back)[1].reason)
  end)

  it("is told nothing about a quiet topic that was forgotten in between", function()
    local tab = connect()
    tab:cut()
    world:advance(400)
    local back = tab:reconnect()
    assert.is_true(back.ready.resumed)
    assert.equal("upstream", resyncs(back)[1].reason) -- its link was closed meanwhile; that is all
    assert.equal(1, #resyncs(back))
  end)

  for what, id in pairs {
    ["of another process"] = ("0"):rep(32), ["that is nonsense"] = "nonsense", ["of 300 bytes"] = ("x"):rep(300),
  } do
    it("is told to re-read with an id " .. what, function()
      local tab = connect { last_event_id = id }
      assert.is_false(tab.ready.resumed)
      assert.equal("epoch", resyncs(tab)[1].reason)
    end)
  end

  it("gets no more than the replay's bound", function()
    world:close()
    world = rig.load("spec/fixtures/deep.lua")
    local tab = world:connect "/events"
    local id = tab.last_id
    tab:cut()
    world:request("POST", "/burst?n=300")
    local back = world:connect("/events", { last_event_id = id })
    assert.equal(300, #back:types())
    world:request("POST", "/burst?n=1")
    local late = world:connect("/events", { last_event_id = id })
    assert.same({ "resync" }, late:types())
    assert.equal(301, resyncs(late)[1].missed)
  end)
end)
