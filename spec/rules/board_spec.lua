-- Project boards: rules/board.lua.

local json = require "cjson"
local rig  = require "sluice.rig"
local tree = require "spec.support.tree"

local KEY = "the key"
local A_TAB, WORKER, OTHER = "a-tab-of-ann-0001", "the-worker-of-ann", "the-worker-of-bob"

describe("board", function()
  local world, members, asked

  before_each(function()
    members = { ["7"] = { ann = true, bob = true }, ["9"] = { ann = true } }
    asked   = {}
    world   = rig.load("rules/board.lua", { env = { PUBLISH_KEY = KEY } })
    world:reply("GET /api/session", function(request)
      local user = (request.headers.cookie or ""):match "board=(%l+)"
      return user and { json = { user = user } } or { status = 401 }
    end)
    world:reply("POST /api/readers", function(request)
      assert.equal("Bearer " .. KEY, request.headers.authorization)
      local question, list = request.json, {}
      table.sort(question.users)
      for _, user in ipairs(question.users) do
        if (members[question.project] or {})[user] then list[#list + 1] = user end
      end
      asked[#asked + 1] = question.project .. ": " .. table.concat(question.users, " ")
      if #list == 0 then return { body = '{"readers":[]}' } end
      return { json = { readers = list } }
    end)
  end)

  after_each(function() world:close() end)

  -- A stream of a user's that has these boards.
  local function connect(user, tag, ...)
    local query = {}
    for _, project in ipairs { ... } do query[#query + 1] = "topic=project-board." .. project end
    local tab = world:connect("/events?" .. table.concat(query, "&"), { cookie = "board=" .. user, tag = tag })
    asked = {}
    return tab
  end

  local function publish(type, data, options)
    options = options or {}
    return world:publish("/publish", { type = type, data = data, user = options.user, session_tag = options.tag },
                         { key = options.key or KEY, tag = options.header })
  end

  local function move(options)
    return publish("card.moved", { project = "7", card = "k1", column = "c2", position = 0 }, options)
  end

  -- What came to a tab behind `ready`: the events' names, and their data decoded.
  local function came(tab)
    local names, data = {}, {}
    for _, event in ipairs(tab:events()) do
      if event.type ~= "ready" then
        names[#names + 1] = event.type
        data[#data + 1]   = json.decode(event.data)
      end
    end
    return names, data
  end

  it("names the topic as the SSE event, and carries ids and the fields of its type alone", function()
    local ann = connect("ann", WORKER, "7")
    publish("card.moved",
            { project = "7", version = 3, card = "k1", column = "c2", position = 0, title = "Secret", by = "bob" })
    local names, data = came(ann)
    assert.same({ "project-board.7" }, names)
    assert.same({ { type = "card.moved", version = 3, card = "k1", column = "c2", position = 0 } }, data)
  end)

  it("has the fields that the example's page says it has", function()
    local ann, types = connect("ann", WORKER, "7"), {}
    local sent = { card = "k1", to = "k2", column = "c2", columns = { "c2" }, position = 1, name = "N", more = "no" }
    local page = tree.read("examples/board/README.md"):match "\n| type | fields .-\n\n"
    for type, fields in page:gmatch "\n| `([%l.]+)` | ([^|]-) |" do
      types[#types + 1] = type
      local expected = { type = type, version = #types }
      for field in fields:gmatch "`(%l+)`" do expected[field] = sent[field] end
      sent.project, sent.version = "7", #types
      assert.equal(200, publish(type, sent).status)
      local _, data = came(ann)
      assert.same(expected, data[#types])
    end
    assert.equal(9, #types)
  end)

  it("lets a deleted column's cards move before it goes", function()
    local ann = connect("ann", WORKER, "7")
    publish("column.deleted", { project = "7", version = 4, column = "c3", cards = {
      { card = "k1", column = "c2", position = 2 }, { card = "k2", column = "c2", position = 3 },
    } })
    local _, data = came(ann)
    assert.same({
      { type = "card.moved", version = 4, card = "k1", column = "c2", position = 2 },
      { type = "card.moved", version = 4, card = "k2", column = "c2", position = 3 },
      { type = "column.deleted", version = 4, column = "c3" },
    }, data)
  end)

  describe("the echo", function()
    it("is left to the tab behind the stream: the tag is its own user's to see, and nobody else's", function()
      local ann, bob = connect("ann", WORKER, "7"), connect("bob", OTHER, "7")
      move { user = "ann", tag = A_TAB }
      local _, anns = came(ann)
      local _, bobs = came(bob)
      assert.equal(A_TAB, anns[1].session_tag)
      assert.is_nil(bobs[1].session_tag)
    end)

    it("carries the explicit tag, not the one of the request around it", function()
      local ann = connect("ann", WORKER, "7")
      move { user = "ann", tag = A_TAB, header = "of-the-request-0001" }
      move { user = "ann", header = "of-the-request-0001" }
      local _, data = came(ann)
      assert.equal(A_TAB, data[1].session_tag)
      assert.equal("of-the-request-0001", data[2].session_tag)
    end)
  end)

  describe("access", function()
    it("is asked once an event over the users who have the board open", function()
      local one, two = connect("ann", WORKER, "7"), connect("ann", "second-of-ann-001", "7")
      local bob = connect("bob", OTHER, "7")
      members["7"].bob = nil
      move()
      assert.same({ "7: ann bob" }, asked)
      assert.same({ "project-board.7" }, (came(one)))
      assert.same({ "project-board.7" }, (came(two)))
      assert.same({}, (came(bob)))
      move()
      assert.same({ "7: ann bob" }, asked)                          -- within its ttl
      world:advance(11)
      move()
      assert.same({ "7: ann bob", "7: ann bob" }, asked)
    end)

    it("is not asked where nobody looks", function()
      move()
      connect("ann", WORKER, "9")
      move()
      assert.same({}, asked)
    end)

    it("gives nobody else a byte: not by asking, not by a stream that is open", function()
      assert.equal(403, world:connect("/events?topic=project-board.9", { cookie = "board=bob" }).status)
      assert.equal(401, world:connect("/events?topic=project-board.9").status)
      local bob, eve = connect("bob", OTHER, "7"), connect("eve", "the-worker-of-eve")
      publish("card.moved", { project = "9", card = "k1", column = "c2", position = 0 })
      move()
      assert.same({ "project-board.7" }, (came(bob)))
      assert.same({}, (came(eve)))
    end)

    it("shows nothing while the app cannot say, and tells to read again when it can", function()
      local ann = connect("ann", WORKER, "7")
      world:fail("POST /api/readers", "refused")
      assert.equal(200, move().status)
      assert.same({}, (came(ann)))
      world:reply("POST /api/readers", { json = { readers = { "ann" } } })
      world:advance(1)
      move()
      world:advance(5)
      local names, data = came(ann)
      table.sort(names)
      assert.same({ "project-board.7", "resync" }, names)
      assert.truthy(data[1].reason == "access" or data[2].reason == "access")
    end)

    it("that ends takes effect at once, and is told", function()
      local ann, bob = connect("ann", WORKER, "7"), connect("bob", OTHER, "7")
      move()
      members["7"].bob = nil
      publish("access.revoked", { project = "7", member = "bob" })
      move()
      local names, data = came(bob)
      assert.same({ "project-board.7", "access.revoked" }, names)
      assert.same({ project = "7" }, data[2])
      assert.same({ "project-board.7", "project-board.7" }, (came(ann)))
    end)

    it("that is given again is told, and can be taken up", function()
      local bob = connect("bob", OTHER)
      members["9"].bob = true
      publish("access.granted", { project = "9", member = "bob" })
      assert.same({ "access.granted" }, (came(bob)))
      assert.same({}, bob:post("/topics", { json = { topics = { "project-board.9" } } }).json.refused)
      publish("project.updated", { project = "9", name = "N" })
      assert.same({ "access.granted", "project-board.9" }, (came(bob)))
    end)
  end)

  describe("topics of an open stream", function()
    it("come and go without another connection", function()
      local ann = connect("ann", WORKER, "7")
      assert.equal(200, ann:post("/topics", { json = { topics = { "project-board.9" } } }).status)
      publish("project.updated", { project = "9", name = "N" })
      move()
      assert.same({ "project-board.9", "project-board.7" }, (came(ann)))
      assert.equal(204, ann:delete("/topics/project-board.7").status)
      move()
      assert.same({ "project-board.9", "project-board.7" }, (came(ann)))
      assert.is_true(ann:is_open())
    end)

    it("are refused one by one", function()
      local bob = connect("bob", OTHER)
      local answer = bob:post("/topics", { json = { topics = { "project-board.9", "project-board.7", "user:ann" } } })
      assert.same({ ["project-board.9"] = "forbidden", ["user:ann"] = "forbidden" }, answer.json.refused)
      move()
      assert.same({ "project-board.7" }, (came(bob)))
    end)

    it("are of the user's own stream only", function()
      connect("ann", WORKER)
      local function want(user, tag)
        local body = { topics = { "project-board.7" } }
        return world:request("POST", "/topics", { cookie = "board=" .. user, tag = tag, json = body })
      end
      assert.equal(404, want("bob", WORKER).status)
      assert.equal(404, want("ann").status)
      assert.equal(200, want("ann", WORKER).status)
      assert.equal(401, world:request("POST", "/topics", { tag = WORKER, json = { topics = {} } }).status)
    end)
  end)

  describe("publishing", function()
    it("is the app's", function()
      local ann = connect("ann", WORKER, "7")
      assert.equal(401, move({ key = "another" }).status)
      local body = { type = "card.moved" }
      assert.equal(401, world:request("POST", "/publish", { cookie = "board=ann", json = body }).status)
      assert.same({}, (came(ann)))
    end)

    it("is answered before access is asked", function()
      local ann  = connect("ann", WORKER, "7")
      local held = world:hold "POST /api/readers"
      local answer = move()
      assert.equal(200, answer.status)
      assert.equal(1, answer.json.subscribers)
      assert.same({}, (came(ann)))
      held:answer { json = { readers = { "ann" } } }
      assert.same({ "project-board.7" }, (came(ann)))
    end)

    it("of what nobody knows is refused, and so is what is no JSON", function()
      assert.equal(422, publish("card.eaten", { project = "7" }).status)
      assert.equal(400, publish("card.moved", "{").status)
    end)
  end)

  it("resumes over all boards, under today's permissions and in order", function()
    local bob = connect("bob", OTHER, "7")
    members["9"].bob = true
    bob:post("/topics", { json = { topics = { "project-board.9" } } })
    move()
    local id = bob:events()[#bob:events()].id
    bob:close()
    publish("project.updated", { project = "9", name = "one" })
    move()
    publish("project.updated", { project = "9", name = "two" })
    world:advance(11)
    local back = world:connect("/events?topic=project-board.7&topic=project-board.9",
                               { cookie = "board=bob", tag = OTHER, last_event_id = id })
    assert.same({ "project-board.9", "project-board.7", "project-board.9" }, (came(back)))
    back:close()
    members["9"].bob = nil
    publish("access.revoked", { project = "9", member = "bob" })
    back = world:connect("/events?topic=project-board.7", { cookie = "board=bob", tag = OTHER, last_event_id = id })
    assert.same({ "project-board.7", "access.revoked" }, (came(back)))
  end)
end)
