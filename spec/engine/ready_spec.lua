-- How a stream says where it begins: by the event `ready`, or by a header, so that its client sees triggers only.

local rig  = require "sluice.rig"
local json = require "cjson.safe"

describe("a stream that says its beginning in a header", function()
  local world
  local ann = { ["x-user"] = "ann" }

  local function emit(...)
    assert.equal(204, world:request("POST", "/emit", { headers = ann, json = { ... } }).status)
  end

  local function connect(id, path, more)
    local options = { headers = { ["x-user"] = "ann", origin = more }, last_event_id = id }
    return world:connect(path or "/quiet", options)
  end

  local function came(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do list[#list + 1] = event.type .. " " .. event.data end
    return list
  end

  before_each(function() world = rig.load "spec/fixtures/frames.lua" end)
  after_each(function() world:close() end)

  it("says nothing to a newcomer, and shows it triggers only", function()
    local tab = connect()
    emit({ "named", "t", "1", { id = "a" } })
    assert.is_nil(tab.headers["last-event-id"])
    assert.same({ "t 1" }, came(tab))
    assert.equal(2000, tab.retry)
  end)

  it("gives back the id that it goes on from", function()
    emit({ "named", "t", "1", { id = "a" } }, { "plain", "t", "2" }, { "named", "t", "3", { id = "b" } })
    local tab = connect "a"
    assert.equal("a", tab.headers["last-event-id"])
    assert.same({ "t 2", "t 3" }, came(tab))
    local last = connect "b"
    assert.equal("b", last.headers["last-event-id"])
    assert.same({}, came(last))
    local cursor = world:triggers("plain")[1].cursor
    local other = connect(cursor)
    assert.equal(cursor, other.headers["last-event-id"])
    assert.same({ "t 3" }, came(other))
  end)

  it("says `earliest`, and nothing else, to who may have missed something", function()
    emit({ "named", "t", "1", { id = "a" } })
    local tab = connect "nobody's"
    assert.equal("earliest", tab.headers["last-event-id"])
    assert.same({}, came(tab))
    for i = 1, 8 do emit({ "plain", "t", tostring(i) }) end
    assert.equal("a", connect "a".headers["last-event-id"])
    emit({ "plain", "t", "9" }) -- now the plain topic has lost what came behind "a"
    local later = connect "a"
    assert.equal("earliest", later.headers["last-event-id"])
    assert.same({}, came(later))
    emit({ "named", "t", "live" })
    assert.same({ "t live" }, came(later))
  end)

  it("sends all that there is to who asks for the earliest", function()
    for i = 1, 10 do emit({ "named", "t", tostring(i) }) end
    local tab = connect "earliest"
    assert.equal("earliest", tab.headers["last-event-id"])
    assert.same({ "t 3", "t 4", "t 5", "t 6", "t 7", "t 8", "t 9", "t 10" }, came(tab))
    emit({ "plain", "t", "live" })
    assert.equal("t live", came(tab)[9])
  end)

  it("tells by a resync where all was asked for and is too much", function()
    for _, topic in ipairs { "named", "other", "plain" } do
      for i = 1, 8 do emit({ topic, "t", tostring(i) }) end
    end
    local tab = connect "earliest"
    assert.same({ "resync" }, tab:types())
    local told = json.decode(tab:events()[1].data)
    assert.same({ "history", 24, 3 }, { told.reason, told.missed, #told.topics })
    assert.equal("", tab.last_id)
  end)

  it("tells by a resync what is lost later, without an id of the server's", function()
    local tab = connect()
    emit({ "named", "t", "0", { id = "a" } })
    tab:stall()
    for i = 1, 9 do emit({ "named", "t", tostring(i), { id = "n" .. i } }) end
    tab:unstall()
    tab:read()
    local events = tab:events()
    local told = json.decode(events[#events].data)
    assert.equal("lagged", told.reason)
    assert.truthy(told.missed > 0)
    assert.truthy(tab.last_id == "a" or tab.last_id:find "^n%d$")
    emit({ "named", "t", "10", { id = "n10" } })
    assert.equal("n10", tab.last_id)
  end)

  it("has heartbeats that are comments", function()
    local tab, plain = connect(), connect(nil, "/quiet/plain")
    emit({ "named", "t", "0", { id = "a" } })
    world:advance(60)
    tab:read()
    assert.equal("a", tab.last_id)
    plain:read()
    assert.equal("", plain.last_id)
    assert.is_nil(plain.retry)
    emit({ "plain", "t", "1" })
    assert.same({ "t 1" }, came(plain))
  end)

  it("lets pages of other sites read the header", function()
    emit({ "named", "t", "1", { id = "a" } })
    local tab = connect("a", nil, "http://127.0.0.1:8080")
    assert.equal("last-event-id", tab.headers["access-control-expose-headers"])
    assert.is_nil(connect("a").headers["access-control-expose-headers"])
  end)

  it("shows nothing that a filter forbids, whatever the header says", function()
    emit({ "named", "t", "1", { id = "a" } }, { "guarded", "t", "2", { meta = { ["for"] = "bob" } } })
    local tab = connect "a"
    assert.equal("a", tab.headers["last-event-id"])
    assert.same({}, came(tab))
  end)
end)

describe("the id `earliest`", function()
  local world
  local ann = { ["x-user"] = "ann" }
  before_each(function() world = rig.load "spec/fixtures/frames.lua" end)
  after_each(function() world:close() end)

  local function emit(...)
    assert.equal(204, world:request("POST", "/emit", { headers = ann, json = { ... } }).status)
  end

  it("asks a stream that allows it for all that there is", function()
    for i = 1, 10 do emit({ "plain", "t", tostring(i) }) end
    local tab = world:connect("/earliest", { headers = ann, last_event_id = "earliest" })
    assert.same({ true, 8 }, { tab.ready.resumed, tab.ready.missed })
    assert.equal("", tab:events()[1].id)
    assert.equal("10", tab:events()[9].data)
    assert.same({}, tab:reconnect():types())
  end)

  it("is like any other that is not known to a stream that does not", function()
    emit({ "plain", "t", "1" })
    local tab = world:connect("/events", { headers = ann, last_event_id = "earliest" })
    assert.same({ "resync" }, tab:types())
  end)
end)
