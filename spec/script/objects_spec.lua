-- What hooks are called with: requests, events, subscribers, frozen data.

local rules = require "spec.support.rules"

describe("what a hook is given", function()
  local world

  after_each(function() world:close() end)

  local function run(body, options, before)
    world = rules.route(body, before)
    return world:request("POST", "/run", options or {})
  end

  local function errors_of(body, options, before)
    local answer = run(body, options, before)
    assert.equal(500, answer.status)
    return (world:log())
  end

  describe("the request", function()
    it("says what was asked", function()
      local answer = run([[
        return { json = { req.method, req.path, req.target, req.query.a, req.query["b c"], req.headers["X-Some-Thing"],
          req.headers["no-such"] or "none", req.body, req.address, tostring(req.secure) } }
      ]], { query = { a = "1", ["b c"] = "x&y" }, headers = { ["x-some-thing"] = "v" }, body = "text" })
      assert.same("POST", answer.json[1])
      assert.same("/run", answer.json[2])
      assert.truthy(answer.json[3]:find "^/run%?")
      assert.same({ "1", "x&y", "v", "none", "text", "127.0.0.1", "false" }, { unpack(answer.json, 4) })
    end)

    it("has a form, of which the first of two equal names counts", function()
      local answer = run([[ return { json = req:form() } ]], { body = "a=1&b=x+y%21&a=2&&=d&c" })
      assert.same({ a = "1", b = "x y!", c = "" }, answer.json)
    end)

    it("has no form where a part of it cannot be read: that is a 400, and no field less", function()
      world = rules.route [[
        return { json = req.query.all and req:form_all "a" or req:form() }
      ]]
      local many = ("a=1&"):rep(1000)
      for _, query in ipairs { "", "?all=1" } do
        for _, body in ipairs { "a=1&b=%zz", "a=1&%zz=b", "a=%00", "a=1&b=%4", many .. "b=1" } do
          local answer = world:request("POST", "/run" .. query, { body = body })
          assert.same({ 400, "bad_form" }, { answer.status, answer.json.error.code })
        end
      end
      assert.equal(1000, #world:request("POST", "/run?all=1", { body = many }).json)
      assert.equal("", (world:log()))
    end)

    it("has all values of a name in query and form, in their order", function()
      local answer = run([[
        return { json = { req:query_all "a", req:query_all "none", req:form_all "b c", req:form_all "a" } }
      ]], { query = { a = { "1", "x y&z", "" } }, body = "b+c=1&a&b%20c=2&b+c&a=3&=4" })
      assert.same({ { "1", "x y&z", "" }, {}, { "1", "2", "" }, { "", "3" } }, answer.json)
    end)

    it("wants a name to look up", function()
      assert.truthy(errors_of([[ req:query_all(7) ]]):find("req:query_all: expected a name, got a number", 1, true))
    end)

    it("lists its headers", function()
      local answer = run([[
        local names = {}
        for name, value in pairs(req.headers) do names[#names + 1] = name .. "=" .. value end
        table.sort(names)
        return 200, table.concat(names, " ")
      ]], { headers = { one = "1" } })
      assert.equal("host=127.0.0.1:8080 one=1", answer.body)
    end)

    it("takes a tag only where it is one", function()
      local answer = run([[ return 200, tostring(req.tag) ]], { tag = "abcdefghij-0123456" })
      assert.equal("abcdefghij-0123456", answer.body)
      assert.equal("nil", world:request("POST", "/run", {}).body)
    end)

    it("says a misspelt field's nearest name", function()
      local log = errors_of [[ return 200, req.quary ]]
      assert.truthy(log:find("request has no 'quary'; did you mean 'query'?", 1, true))
    end)

    it("cannot be changed, nor kept", function()
      assert.truthy(errors_of([[ req.user = "eve" ]]):find("request cannot be changed by assignment", 1, true))
      world:close()
      run([[ if kept then return 200, pcall(function() return kept.user end) and "leaked" or "empty" end
        kept = req return 204 ]], {}, "local kept")
      assert.equal("empty", world:request("POST", "/run", {}).body)
    end)
  end)

  describe("a subscriber", function()
    local STREAM = [[
      local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })
      local kept
      app:stream("events", {
        path = "/events",
        identity = function(req) return { user = req.headers["x-user"], data = { n = 1, list = { "a", "b" } } } end,
        topics = function(req, sub) return { mine(sub.user), "user:all" } end,
        connect = function(sub) kept = kept or sub end,
      })
    ]]

    it("has a user, a tag, data and topics", function()
      world = rules.route([[
        return { json = { kept.user, kept.tag, kept.data.n, #kept.data.list, kept.topics, kept.open } }
      ]], STREAM)
      local tab = world:connect("/events", { headers = { ["x-user"] = "ann" } })
      local answer = world:request("POST", "/run", {})
      assert.same({ "ann", tab.tag, 1, 2, { "user:ann", "user:all" }, true }, answer.json)
    end)

    it("answers nil, closed once it is gone", function()
      world = rules.route([[
        local done, code = kept:set { n = 2 }
        return 200, ("%s %s %s %s"):format(done, code, kept.user, kept.open)
      ]], STREAM)
      local tab = world:connect("/events", { headers = { ["x-user"] = "ann" } })
      assert.equal("true nil ann true", world:request("POST", "/run", {}).body)
      tab:close()
      assert.equal("nil closed nil false", world:request("POST", "/run", {}).body)
    end)

    it("is given new data, which the old one does not see", function()
      world = rules.route([[
        local before = kept.data
        kept:set { n = before.n + 1 }
        return 200, before.n .. " " .. kept.data.n
      ]], STREAM)
      world:connect("/events", { headers = { ["x-user"] = "ann" } })
      assert.equal("1 2", world:request("POST", "/run", {}).body)
    end)

    it("is closed", function()
      world = rules.route([[ kept:close() return 204 ]], STREAM)
      local tab = world:connect("/events", { headers = { ["x-user"] = "ann" } })
      assert.equal(204, world:request("POST", "/run", {}).status)
      assert.is_false(tab:is_open())
    end)

    it("may close itself as it connects", function()
      world = rules.load [[
        local time = require "sluice.time"
        local left = {}
        app:stream("now", { path = "/now", connect = function(sub) sub:close() end,
          disconnect = function(sub, reason) left[#left + 1] = reason end })
        app:stream("soon", { path = "/soon",
          connect = function(sub) time.sleep(1) sub:close() time.sleep(1) error "never" end,
          disconnect = function(sub, reason) left[#left + 1] = reason end })
        app:stream("no", { path = "/no", connect = function() return false end })
        app:route("left", "GET /left", { run = function() return 200, table.concat(left, " ") end })
      ]]
      assert.is_false(world:connect("/now"):is_open())
      local soon, no = world:connect "/soon", world:connect "/no"
      assert.is_true(soon:is_open())
      world:advance(5)
      assert.is_false(soon:read() or soon:is_open())
      assert.is_false(no:is_open())
      assert.equal("kicked kicked", world:request("GET", "/left", {}).body)
    end)

    it("keeps its leases while it waits for the end of disconnect", function()
      world = rules.load [[
        local time, store = require "sluice.time", require "sluice.store"
        app:stream("events", { path = "/events", identity = function() return { user = "ann" } end,
          disconnect = function(sub, reason) time.sleep(2) store.set("left", sub.user .. " " .. reason) end })
        app:route("left", "GET /left", { run = function() return 200, tostring(store.get "left") end })
      ]]
      world:connect("/events"):close()
      assert.equal("nil", world:request("GET", "/left", {}).body)
      world:advance(2)
      assert.equal("ann client", world:request("GET", "/left", {}).body)
    end)
  end)

  describe("data", function()
    local IDENTITY = [[
      local json = require "sluice.json"
      local function me()
        return { user = "ann", data = { role = "admin", list = { "a", "b", { c = 1 } }, none = json.null } }
      end
    ]]

    local function with_data(body)
      world = rules.load(IDENTITY .. "\napp:route('run', 'POST /run', { identity = me, run = function(req)\n"
        .. body .. "\nend })")
      return world:request("POST", "/run", {})
    end

    it("is read like a table", function()
      local answer = with_data [[
        local data, parts = req.data, {}
        for i, item in ipairs(data.list) do parts[#parts + 1] = i .. (type(item) == "string" and item or item.c) end
        for name in pairs(data) do parts[#parts + 1] = name end
        table.sort(parts)
        parts[#parts + 1] = #data.list .. data.role .. tostring(data.none == json.null) .. tostring(data.missing)
        return 200, table.concat(parts, " ")
      ]]
      assert.equal("1a 2b 31 list none role 3admintruenil", answer.body)
    end)

    it("is the same value wherever it is equal", function()
      assert.equal("true true", with_data([[
        return 200, tostring(req.data == req.data) .. " " .. tostring(req.data.list == req.data.list)
      ]]).body)
    end)

    it("cannot be changed", function()
      local changes = { "req.data.role = 'x'", "req.data.new = 1", "rawset(req.data, 1, 1)",
                        "table.insert(req.data.list, 'x')", "req.data.list[1] = 'x'" }
      for i, change in ipairs(changes) do
        assert.equal(500, with_data(change .. " return 204").status)
        if i < #changes then world:close() end
      end
      assert.truthy(world:log():find("data is frozen", 1, true))
    end)

    it("goes into JSON, whole and in part, and is copied", function()
      local answer = with_data [[
        local copy = json.copy(req.data)
        copy.role, copy.list[3].c = "user", 2
        return { json = { all = req.data, part = req.data.list, copy = copy } }
      ]]
      assert.same({ "a", "b", { c = 1 } }, answer.json.part)
      assert.equal("admin", answer.json.all.role)
      assert.equal("user", answer.json.copy.role)
      assert.equal(2, answer.json.copy.list[3].c)
    end)

    it("is plain, and not more than 4 KiB", function()
      for _, data in ipairs { "print", "{ f = print }", "('x'):rep(4097)", "req" } do
        world = rules.load("app:route('run', 'POST /run', { identity = function(req) return { user = 'a', data = "
          .. data .. " } end, run = function() return 204 end })")
        assert.equal(503, world:request("POST", "/run", {}).status)
        assert.truthy(world:log():find(data == "('x'):rep(4097)" and "4096 at most" or "plain data only", 1, true))
        if data ~= "req" then world:close() end
      end
    end)
  end)
end)
