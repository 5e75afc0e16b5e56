-- Topics whose publisher says the ids: what clients see of them, and that they come back with them.

local rig  = require "sluice.rig"
local json = require "cjson.safe"

describe("a topic with the publisher's ids", function()
  local world
  local ann = { ["x-user"] = "ann" }

  local function emit(...)
    local answer = world:request("POST", "/emit", { headers = ann, json = { ... } })
    assert.equal(204, answer.status, answer.body)
  end

  local function refused(words, ...)
    assert.equal(500, world:request("POST", "/emit", { headers = ann, json = { ... } }).status)
    assert.truthy(world:log():find(words, 1, true), words)
    world:advance(10) -- which it takes until as much is logged again
  end

  local function connect(id, path) return world:connect(path or "/events", { headers = ann, last_event_id = id }) end

  local function came(tab)
    local list = {}
    for _, event in ipairs(tab:events()) do
      if event.type ~= "ready" then list[#list + 1] = event.type .. " " .. event.data end
    end
    return list
  end

  before_each(function() world = rig.load "spec/fixtures/frames.lua" end)
  after_each(function() world:close() end)

  it("shows the id of the emit", function()
    local tab = connect()
    emit({ "named", "t", "1", { id = "urn:example:1" } })
    assert.equal("urn:example:1", tab:events()[2].id)
  end)

  it("shows a fresh urn:uuid where the emit says none", function()
    local tab = connect()
    emit({ "named", "t", "1" }, { "named", "t", "2" })
    local first, second = tab:events()[2].id, tab:events()[3].id
    local uuid = "^urn:uuid:%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"
    assert.truthy(first:find(uuid), first)
    assert.truthy(second:find(uuid), second)
    assert.not_equal(first, second)
  end)

  it("lets a client resume by it, over all of its topics, in order and once", function()
    local tab = connect()
    emit({ "named", "t", "1", { id = "a" } }, { "plain", "t", "2" }, { "named", "t", "3", { id = "b" } })
    tab:close()
    emit({ "other", "t", "4", { id = "c" } }, { "plain", "t", "5" })
    local back = connect "a"
    assert.same({ "t 2", "t 3", "t 4", "t 5" }, came(back))
    assert.same({ resumed = true, missed = 4, tag = back.tag }, back.ready)
    assert.same({ "t 4", "t 5" }, came(connect "b"))
    assert.same({ "t 5" }, came(connect "c"))
    emit({ "plain", "t", "6" })
    assert.same({ "t 2", "t 3", "t 4", "t 5", "t 6" }, came(back))
  end)

  it("lets it resume by what the server gave, too", function()
    local tab = connect()
    emit({ "named", "t", "1" })
    emit({ "plain", "t", "2" })
    assert.same({ "t 2" }, came(connect(tab:events()[2].id)))
    assert.same({ "t 1", "t 2" }, came(connect(tab:events()[1].id)))
    assert.same({}, came(connect(tab:events()[3].id)))
  end)

  it("tells to re-read, for history, who comes with an id that nobody knows", function()
    emit({ "named", "t", "1", { id = "a" } })
    local tab = connect "b"
    local told = json.decode(tab:events()[2].data)
    assert.is_false(tab.ready.resumed)
    assert.same({ "history", 5 }, { told.reason, #told.topics })
    assert.equal("epoch", json.decode(connect("b", "/only?of=plain"):events()[2].data).reason)
  end)

  it("does not know ids of topics that the client does not have", function()
    emit({ "named", "t", "1", { id = "a" } }, { "other", "t", "2", { id = "b" } })
    local tab = connect("a", "/only?of=other")
    assert.is_false(tab.ready.resumed)
    assert.same({ "resync" }, tab:types())
  end)

  it("does not know ids that history has dropped, or that were given twice", function()
    emit({ "named", "t", "0", { id = "twice" } })
    for i = 1, 6 do emit({ "named", "t", tostring(i), { id = "n" .. i } }) end
    emit({ "named", "t", "7", { id = "twice" } })
    assert.same({ "t 2", "t 3", "t 4", "t 5", "t 6", "t 7" }, came(connect "n1"))
    assert.same({ "resync" }, connect "twice":types())
    emit({ "named", "t", "8", { id = "n8" } })
    emit({ "named", "t", "9", { id = "n9" } })
    assert.same({ "resync" }, connect "n1":types())
    world:advance(301)
    assert.same({ "resync" }, connect "n9":types())
  end)

  it("resumes without the tab's own echo, and by what filters say now", function()
    local tag = "tab-0000000000001"
    emit({ "named", "t", "1", { id = "a" } })
    emit({ "named", "t", "mine", { id = "b", tag = tag } },
      { "guarded", "t", "bob's", { id = "c", meta = { ["for"] = "bob" } } },
      { "guarded", "t", "ann's", { id = "d", meta = { ["for"] = "ann" } } })
    local back = world:connect("/events", { headers = ann, tag = tag, last_event_id = "a" })
    assert.same({ "t ann's" }, came(back))
    assert.equal("d", back:events()[2].id)
    local bob = world:connect("/events", { headers = { ["x-user"] = "bob" }, last_event_id = "b" })
    assert.same({ "t bob's" }, came(bob))
  end)

  it("refuses ids that break a line, are too long, or mean something else", function()
    refused("the id must be 1 to 256 bytes", { "named", "t", "", { id = "a\nb" } })
    refused("the id must be 1 to 256 bytes", { "named", "t", "", { id = "a\0b" } })
    refused("the id must be 1 to 256 bytes", { "named", "t", "", { id = "" } })
    refused("the id must be 1 to 256 bytes", { "named", "t", "", { id = ("x"):rep(257) } })
    refused("has a meaning of its own", { "named", "t", "", { id = "earliest" } })
    refused("shows cursors", { "plain", "t", "", { id = "a" } })
    assert.equal(500, world:request("POST", "/steal").status)
    assert.truthy(world:log():find("it is a cursor of this server", 1, true))
    emit({ "named", "t", "", { id = ("x"):rep(256) } })
  end)

  it("has heartbeats that leave the client's id alone", function()
    local tab = connect()
    emit({ "named", "t", "1", { id = "a" } })
    world:advance(60)
    emit({ "named", "t", "2", { id = "b", meta = { n = 1 } } }) -- so that what came is read
    assert.same({ "a", "b" }, { tab:events()[2].id, tab:events()[3].id })
    world:advance(60)
    tab:read()
    assert.equal("b", tab.last_id)
  end)

  it("is reached by explain under the publisher's id", function()
    emit({ "named", "t", "1", { id = "a" } }, { "named", "t", "2", { id = "b" } })
    local triggers = world:explain { id = "b" }.apps[1].triggers
    assert.equal(1, #triggers)
    assert.equal('2', triggers[1].data)
  end)

  it("keeps what it has through a reload that changes whose the ids are", function()
    local rules = require "spec.support.rules"
    local text = [[
      local sluice = require "sluice"
      local app = sluice.app "ids"
      local one = app:topic("one", { id = "%s", history = { size = 8, ttl = 300 } })
      app:stream("events", { path = "/events", topics = function() return one() end })
      app:route("emit", "POST /emit", { run = function(req)
        one():emit("t", req.body, %s)
        return 204
      end })]]
    local publisher, cursor = text:format("publisher", "{ id = req.body }"), text:format("cursor", "nil")
    world:close()
    world = rules.load_file(publisher)
    local function send(body) assert.equal(204, world:request("POST", "/emit", { body = body }).status) end
    local function ids(tab)
      local list = {}
      for _, event in ipairs(tab:events()) do
        if event.type == "t" then list[#list + 1] = event.id:gsub("^%x+$", "cursor") end
      end
      return list
    end
    send "xa"
    send "xb"
    local open = world:connect("/events", { last_event_id = "xa" })
    assert.same({ "xb" }, ids(open))
    rules.reload_file(world, cursor)
    send "xc"
    assert.same({ "xb", "cursor" }, ids(open))
    local mark = open:events()[3].id
    assert.same({ "resync" }, world:connect("/events", { last_event_id = "xa" }):types()) -- ids mean nothing now
    rules.reload_file(world, publisher)
    send "xd"
    assert.same({ "xb", "cursor", "xd" }, ids(open))
    assert.same({ "xb", "cursor", "xd" }, ids(world:connect("/events", { last_event_id = "xa" })))
    assert.same({ "xd" }, ids(world:connect("/events", { last_event_id = mark })))
  end)
end)
