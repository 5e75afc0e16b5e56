-- The inventory's activity feed: rules/silo.lua.

local json = require "cjson"
local rig  = require "sluice.rig"

local KEY = "the key"

-- What the inventory publishes, and what of it goes out.
local CHANGES = {
  { "item.created",     { part_number = "F01-0001", description = "Bracket", item_type = "part" } },
  { "item.updated",     { part_number = "F01-0001", revision = 2 } },
  { "item.deleted",     { part_number = "F01-0001" } },
  { "revision.created", { part_number = "F01-0001", revision_number = 3, comment = "" } },
  { "server.state",     { mode = "degraded" } },
}

describe("silo", function()
  local world

  before_each(function()
    world = rig.load("rules/silo.lua", { env = { PUBLISH_KEY = KEY } })
    world:reply("GET /api/me", function(request)
      local role = (request.headers.cookie or request.headers.authorization or ""):match "silo[= ](%l+)"
      if not role then return { status = 401 } end
      return { json = { user = "ann", role = role ~= "none" and role or nil } }
    end)
  end)

  after_each(function()
    world:log()
    world:close()
  end)

  local function connect(options)
    options = options or {}
    options.cookie = options.cookie or "silo=viewer"
    return world:connect("/api/events", options)
  end

  local function publish(type, data, key)
    return world:publish("/publish", { type = type, data = data }, { key = key or KEY })
  end

  local function delete(part_number) return publish("item.deleted", { part_number = part_number }) end

  -- What came to a tab behind `ready`.
  local function came(tab)
    local list = {}
    for i = 2, #tab:events() do list[i - 1] = { tab:events()[i].type, json.decode(tab:events()[i].data) } end
    return list
  end

  describe("lets in", function()
    it("who is a viewer or more, and says who is nobody and who may not", function()
      for role, status in pairs { viewer = 200, editor = 200, admin = 200, guest = 403, none = 403 } do
        assert.equal(status, connect({ cookie = "silo=" .. role }).status)
      end
      assert.equal(401, connect({ cookie = "other=viewer" }).status)
      assert.equal(401, world:connect("/api/events").status)
    end)

    it("by a token as well, and does not ask about who brings nothing", function()
      world:connect "/api/events"
      assert.equal(0, #world:requests "GET /api/me")
      assert.equal(200, world:connect("/api/events", { headers = { authorization = "Bearer silo viewer" } }).status)
    end)

    it("nobody whom the inventory forbids", function()
      world:reply("GET /api/me", { status = 403 })
      assert.equal(403, connect().status)
    end)

    it("nobody while it cannot say, and then that is no 401", function()
      for _, code in ipairs { "refused", "timeout", "network" } do
        world:fail("GET /api/me", code)
        local tab = connect()
        world:advance(10)
        assert.equal(503, tab.status)
      end
      local nobody = { json = { role = "viewer" } }
      for _, answer in ipairs { { status = 500 }, { status = 502 }, { body = "no JSON" }, nobody } do
        world:reply("GET /api/me", answer)
        assert.equal(503, connect().status)
      end
    end)
  end)

  describe("shows", function()
    it("each change with the fields of its type, and no other", function()
      local tab = connect()
      for _, change in ipairs(CHANGES) do
        local sent = { secret = "left out", session_tag = "a-tab-of-ann-0001" }
        for name, value in pairs(change[2]) do sent[name] = value end
        assert.equal(200, publish(change[1], sent).status)
      end
      assert.same(CHANGES, came(tab))
    end)

    it("the server's state to newcomers, too: the last one, and nothing else", function()
      delete "F01-0001"
      publish("server.state", { mode = "degraded" })
      publish("server.state", { mode = "read-only" })
      local tab = connect()
      assert.same({ { "server.state", { mode = "read-only" } } }, came(tab))
      world:reload "rules/silo.lua"
      assert.same({ { "server.state", { mode = "read-only" } } }, came(connect()))
      assert.equal(1, #came(tab))
    end)

    it("what was missed, in order and once, and no state that is known already", function()
      local tab = connect()
      publish("server.state", { mode = "normal" })
      delete "F01-0001"
      local id = tab:events()[3].id
      tab:close()
      delete "F01-0002"
      publish("server.state", { mode = "degraded" })
      delete "F01-0003"
      local back = connect { last_event_id = id }
      assert.is_true(back.ready.resumed)
      assert.same({ { "item.deleted", { part_number = "F01-0002" } }, { "server.state", { mode = "degraded" } },
                    { "item.deleted", { part_number = "F01-0003" } } }, came(back))
      assert.same({}, came(connect { last_event_id = back:events()[4].id }))
    end)

    it("that something was missed which is not kept any more", function()
      local tab = connect()
      delete "F01-0001"
      local id = tab:events()[2].id
      for i = 2, 600 do delete("F01-" .. i) end
      local back = connect { last_event_id = id }
      assert.is_false(back.ready.resumed)
      assert.equal("resync", came(back)[1][1])
    end)

    it("a heartbeat every 30 s, whatever else flows", function()
      local tab, beats = connect(), {}
      for second = 1, 95 do
        world:advance(1)
        delete "F01-0001"
        local last = tab:events()[#tab:events() - 1]
        if last.type == "heartbeat" then beats[#beats + 1] = { second, last.data } end
      end
      assert.same({ { 30, "{}" }, { 60, "{}" }, { 90, "{}" } }, beats)
      assert.equal(95 + 3 + 1, #tab:events())
    end)
  end)

  describe("takes", function()
    it("nothing without the key", function()
      local tab = connect()
      assert.equal(401, publish("item.deleted", { part_number = "F01-0001" }, "another").status)
      local body = { type = "item.deleted", data = { part_number = "F01-0001" } }
      assert.equal(401, world:request("POST", "/publish", { cookie = "silo=admin", json = body }).status)
      assert.same({}, came(tab))
    end)

    it("nothing that lacks a field, or has one of another kind", function()
      local tab = connect()
      for _, change in ipairs(CHANGES) do
        for missing in pairs(change[2]) do
          local sent, wrong = {}, {}
          for name, value in pairs(change[2]) do
            if name ~= missing then sent[name] = value end
            wrong[name] = name == missing and { "a list" } or value
          end
          local answer = publish(change[1], sent)
          assert.same({ 422, "bad_fields" }, { answer.status, answer.json.error.code })
          assert.truthy(answer.json.error.message:find(missing .. ": expected", 1, true))
          assert.equal(422, publish(change[1], wrong).status)
        end
      end
      assert.equal(422, publish("item.eaten", { part_number = "F01-0001" }).status)
      assert.same({}, came(tab))
    end)

    it("the same once", function()
      local tab   = connect()
      local event = { type = "item.deleted", id = "one", data = { part_number = "F01-0001" } }
      for _ = 1, 2 do assert.equal(200, world:publish("/publish", event, { key = KEY }).status) end
      assert.equal(1, #came(tab))
    end)
  end)

  it("ends streams cleanly when the node is drained", function()
    local tab = connect()
    delete "F01-0001"
    world:drain()
    world:advance(30)
    assert.is_false(tab:is_open())
    assert.equal(1, #came(tab))
  end)
end)
