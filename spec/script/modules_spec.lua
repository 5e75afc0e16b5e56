-- The library's modules: http, json, store, time, tags, log, and the app's own questions.

local rules = require "spec.support.rules"

describe("sluice", function()
  local world

  after_each(function() world:close() end)

  local MODULES = [[
    local http, json, store = require "sluice.http", require "sluice.json", require "sluice.store"
    local time, tags, log   = require "sluice.time", require "sluice.tags", require "sluice.log"
  ]]

  local function start(body, before) world = rules.route(body, MODULES .. (before or "")) end

  local function run(body, before)
    start(body, before)
    return world:request("POST", "/run", {})
  end

  local function error_of(body)
    local answer = run(body)
    assert.equal(500, answer.status)
    local log = world:log()
    world:close()
    return log
  end

  describe(".http", function()
    it("sends methods, headers and bodies, and hands the answer over", function()
      start [[
        local a = http.get("http://x.test/a?q=1", { headers = { ["X-One"] = 1 } })
        local b = http.post("http://x.test/b", { json = { n = 1 } })
        local c = http.put("http://x.test/c", { form = { ["a b"] = "c&d", e = 1 } })
        local d = http.request { method = "DELETE", url = "http://x.test/d", body = "raw" }
        return { json = { a.status, a.headers["x-back"], b:json().n, c.body, d:expect(204, 200).status, d:ok() } }
      ]]
      world:reply("GET /a", { body = "A", headers = { ["x-back"] = "B" } })
      world:reply("POST /b", function(request) return { json = request.json } end)
      world:reply("PUT /c", function(request) return { body = request.body .. request.headers["content-type"] } end)
      world:reply("DELETE /d", function(request) return { status = 204, body = request.body } end)
      assert.same({ 200, "B", 1, "a%20b=c%26d&e=1application/x-www-form-urlencoded", 204, true },
        world:request("POST", "/run", {}).json)
      local a = world:requests("GET /a")[1]
      assert.equal("1", a.headers["x-one"])
      assert.equal("q=1", a.query)
      assert.equal("application/json", world:requests("POST /b")[1].headers["content-type"])
    end)

    it("raises where no answer comes, and http.try says it", function()
      start [[
        local good, why = pcall(http.get, "http://x.test/a?secret=1")
        local answer, code, sentence = http.try { url = "http://x.test/a" }
        return { json = { good, why, answer == nil, code, type(sentence) } }
      ]]
      world:fail("GET /a", "refused")
      local said = world:request("POST", "/run", {}).json
      assert.same({ true, "refused", "string" }, { said[3], said[4], said[5] })
      assert.truthy(said[2]:find("^.*rules.lua:%d+: GET http://x.test/a%?secret=1: refused: "))
    end)

    it("ends at its own time-out", function()
      start [[
        local begun = time.monotonic()
        local _, code = http.try { url = "http://x.test/a", timeout = 1.5 }
        return 200, code .. " " .. time.monotonic() - begun
      ]]
      world:fail("GET /a", "timeout")
      local answer = world:request("POST", "/run", {})
      world:advance(2)
      assert.equal("timeout 1.5", answer:result().body)
    end)

    it("raises for what was not expected", function()
      start [[ http.get("http://x.test/a?token=1"):expect(200, 204) return 204 ]]
      world:reply("GET /a", { status = 418 })
      assert.equal(500, world:request("POST", "/run", {}).status)
      assert.truthy(world:log():find("GET http://x.test/a: status 418, expected 200 or 204", 1, true))
    end)

    it("fills templates, encoded", function()
      assert.equal("http://h/u/a%2Fb%3Fc?page=2&q=x%20y", run([[
        return 200, http.url("http://h/u/{user}", { user = "a/b?c", page = 2, q = "x y" })
      ]]).body)
    end)

    it("says what is wrong", function()
      local wrong = {
        ["http.get()"]                                            = "the url is nil, expected a text",
        ["http.get 'http://x/a b'"]                               = "a url with a blank or control character",
        ["http.get('http://x/', { header = {} })"]                = "unknown option 'header'; did you mean 'headers'?",
        ["http.get('http://x/', { headers = { a = 'b\\nc' } })"]  = "the header 'a' holds CR, LF or NUL",
        ["http.get('http://x/', { headers = { ['a b'] = 1 } })"]  = "a header named \\\"a b\\\"",
        ["http.get('http://x/', { headers = { a = {} } })"]       = "the header 'a' is a table, expected a text",
        ["http.get('http://x/', { timeout = 0 })"]                = "timeout must be seconds above 0",
        ["http.post('http://x/', { json = 1, body = '' })"]       = "one of json, form and body, not several",
        ["http.get('http://x/', { url = 1 })"]                    = "'url' stands outside the options here",
        ["http.url('http://x/{a}', {})"]                          = "{a} has no value",
        ["http.url('http://x/{a}/b?c', { a = '..' })"]            = "a part of the path is '.' or '..'",
        ["http.url('http://x/{a}', { a = '.' })"]                 = "a part of the path is '.' or '..'",
        ["http.gett()"]                                           = "sluice.http has no 'gett'; did you mean 'get'?",
      }
      for call, sentence in pairs(wrong) do
        local log = error_of(call .. " return 204")
        assert.truthy(log:find(sentence, 1, true), call .. ": " .. log)
      end
      run "return 204"
    end)
  end)

  describe(".json", function()
    it("writes what it reads, numbers with all their digits", function()
      local answer = run [[
        local text = '{"a":[1,2.5,-3,1e300,0.1,9007199254740991,1800000000000001],"b":null,"c":{"d":"\\u00e9\\n"}}'
        local value = json.decode(text)
        local again = json.decode(json.encode(value))
        local numbers = {}
        for i, number in ipairs(again.a) do numbers[i] = number == value.a[i] end
        return { json = { numbers, again.b == json.null, again.c.d == "é\n", json.encode(again.a) } }
      ]]
      assert.same({ { true, true, true, true, true, true, true }, true, true,
        "[1,2.5,-3,1e+300,0.1,9007199254740991,1800000000000001]" }, answer.json)
    end)

    it("tells lists from objects", function()
      local cases = {
        ["{}"] = "{}", ["json.list {}"] = "[]", ["{ 1, 2 }"] = "[1,2]", ["{ a = json.list {} }"] = '{"a":[]}',
        ["{ 1, nil, 3 }"] = "[1,null,3]", ["{ [1] = 1, a = 2 }"] = '{"1":1,"a":2}',
        ["'é\\0\\255'"] = '"é\\u0000�"', ["true"] = "true",
      }
      for value, text in pairs(cases) do
        assert.equal(text, (run("return 200, json.encode(" .. value .. ")").body:gsub('"a":2,"1":1', '"1":1,"a":2')))
        world:close()
      end
      run "return 204"
    end)

    it("answers nil for what is no JSON, and raises for what can be none", function()
      assert.same({ true, "bad_json", "string" }, run([[
        local value, code, why = json.decode "{"
        return { json = { value == nil, code, type(why) } }
      ]]).json)
      world:close()
      for value, sentence in pairs {
        ["print"] = "not a function", ["{ [{}] = 1 }"] = "a key that is a table", ["{ [1e6] = 1 }"] = "too many holes",
        ["0/0"] = "JSON has no number for", ["req"] = "not a handle",
      } do
        assert.truthy(error_of("return 200, json.encode(" .. value .. ")"):find(sentence, 1, true))
      end
      run "return 204"
    end)
  end)

  describe(".store", function()
    it("keeps data by text, for a time", function()
      start [[
        if req.query.set then
          store.set("a", { n = 1 }, { ttl = 10 })
          store.set("b:1", true) store.set("b:2", json.null) store.set("gone", 1) store.set("gone", nil)
          local copy = store.get "a"
          copy.n = 2
        end
        return { json = { (store.get "a" or {}).n or 0, store.get "b:1", store.get "b:2" == json.null, store.keys "b:",
          store.add("a", 5), store.increment("count"), store.delete "nothing" } }
      ]]
      assert.same({ 1, true, true, { "b:1", "b:2" }, false, 1, false },
        world:request("POST", "/run", { query = { set = 1 } }).json)
      world:advance(10.1)
      assert.same({ 0, true, true, { "b:1", "b:2" }, true, 2, false }, world:request("POST", "/run", {}).json)
    end)

    it("says what is wrong", function()
      assert.truthy(error_of "store.set({}, 1)":find("store: the key is a table, expected a text", 1, true))
      assert.truthy(error_of "store.set('a', print)":find("plain data only", 1, true))
      assert.truthy(error_of "store.set('a', 1, { tll = 1 })":find("unknown option 'tll'", 1, true))
      assert.truthy(error_of "store.set('a', 1, { ttl = 0 })":find("ttl must be seconds above 0", 1, true))
      assert.truthy(error_of "store.get '\\0own'":find("a key cannot begin with NUL", 1, true))
      run "return 204"
    end)

    it("shows rules nothing of the library's", function()
      assert.equal("{}", run([[
        read:open("ann", nil, "bob", 1)
        return { json = store.keys() }
      ]], [[ local read = require "sluice.watermark".new(app, "read", { post = function() end }) ]]).body)
    end)
  end)

  it(".time, .log and os live in the core's time", function()
    start [[
      local a, b, c = time.now(), time.monotonic(), os.time()
      time.sleep(2.5)
      log.warn("waited", { seconds = time.monotonic() - b, list = { 1 }, yes = true })
      return { json = { time.now() - a, time.monotonic() - b, os.time() - c } }
    ]]
    local answer = world:request("POST", "/run", {})
    world:advance(2.5)
    local passed = answer:result().json
    assert.near(2.5, passed[1], 0.001)
    assert.near(2.5, passed[2], 0.001)
    assert.truthy(passed[3] == 2 or passed[3] == 3)
    local log = world:log()
    assert.truthy(log:find("level=warn msg=waited app=demo", 1, true), log)
    assert.truthy(log:find("seconds=2.5", 1, true), log)
  end)

  it(".tags reads, checks and makes tags", function()
    assert.same({ true, false, false, "explicit-0123456789", "none", 32 }, run([[
      return { json = { tags.valid "abcdefghijklmnop", tags.valid "short", tags.valid(7),
        tags.of(req, "explicit-0123456789"), tags.of(req, "short") or "none", #tags.new() } }
    ]]).json)
  end)

  it(".env reads the environment, and its defaults", function()
    world = rules.load([[
      local one, two = sluice.env "ONE", sluice.env("TWO", "default")
      app:route("run", "POST /run", { run = function() return 200, one .. " " .. two end })
    ]], { env = { ONE = "1" } })
    assert.equal("1 default", world:request("POST", "/run", {}).body)
  end)

  describe("an app", function()
    local STREAM = [[
      local mine = app:topic "user:{user}"
      app:stream("events", { path = "/events", identity = function(req) return { user = req.headers["x-user"] } end,
        topics = function(_, sub) return mine(sub.user) end })
    ]]

    local function connect(user, tag)
      return world:connect("/events", { headers = { ["x-user"] = user }, tag = tag })
    end

    it("knows who is connected", function()
      start([[
        local users = app:users()
        table.sort(users)
        local tags = {}
        for i, sub in ipairs(app:subscribers { user = "ann" }) do tags[i] = sub.tag end
        table.sort(tags)
        return { json = { users, #app:subscribers(), tags, #app:subscribers { user = "ann", tag = tags[1] },
          #app:subscribers { user = "nobody" }, app:count(), app:count { user = "ann" }, mine("ann"):subscribers(),
          #app:cursor() } }
      ]], STREAM)
      connect("ann", "tab-of-ann-00000000")
      connect("ann", "tab-of-ann-11111111")
      connect("bob")
      assert.same({ { "ann", "bob" }, 3, { "tab-of-ann-00000000", "tab-of-ann-11111111" }, 1, 0, 3, 2, 2, 32 },
        world:request("POST", "/run", {}).json)
    end)

    it("disconnects one tab, one user, or everybody", function()
      start([[
        local who = req:json()
        return { json = app:disconnect(next(who) and who or nil) }
      ]], STREAM)
      local one, two = connect("ann", "tab-of-ann-00000000"), connect("ann", "tab-of-ann-11111111")
      local bob, eve = connect "bob", connect "eve"
      local function disconnect(who) return world:request("POST", "/run", { json = who }).body end
      assert.equal("1", disconnect { user = "ann", tag = "tab-of-ann-00000000" })
      assert.same({ false, true }, { one:is_open(), two:is_open() })
      assert.equal("1", disconnect { user = "ann" })
      assert.equal("0", disconnect { user = "ann" })
      assert.equal("2", disconnect { x = nil })
      assert.same({ false, false, false }, { two:is_open(), bob:is_open(), eve:is_open() })
    end)

    it("says what is wrong", function()
      assert.truthy(error_of "app:disconnect { usr = 'ann' }":find("unknown 'usr'; did you mean 'user'?", 1, true))
      assert.truthy(error_of "app:disconnect { user = nil }":find("without an argument it means everybody", 1, true))
      assert.truthy(error_of "app:disconnect 'ann'":find("expected { user = ... }", 1, true))
      assert.truthy(error_of "app:stream('s', { path = '/s' })":find("app:stream cannot be called in a route", 1, true))
      run "return 204"
    end)
  end)
end)
