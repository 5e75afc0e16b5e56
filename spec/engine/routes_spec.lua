-- Routes: what they are given, what they may answer, what becomes of what they emit, and who may ask.

local rig  = require "sluice.rig"
local seen = require "spec.support.seen"

describe("a route", function()
  local world

  local function request(method, path, headers, options)
    options = options or {}
    options.headers = headers
    return world:request(method, path, options)
  end

  local ann = { ["x-user"] = "ann" }

  local function expect_errors(count, text)
    local lines, errors = world:log()
    assert.equal(count, errors, lines)
    if text then assert.truthy(lines:find(text, 1, true), lines) end
  end

  before_each(function() world = rig.load "spec/fixtures/routes.lua" end)
  after_each(function() seen.close(world) end)

  describe("is given", function()
    local function echo(path, headers, options)
      headers = headers or {}
      headers["x-user"] = "ann"
      return request("POST", path, headers, options).json
    end

    it("its parameters decoded, one segment each, also a URL", function()
      assert.same({ first = "https://posta.no/@bob", second = "a b" },
        echo("/echo/https%3A%2F%2Fposta.no%2F%40bob/a%20b").params)
      assert.same({ first = "+", second = "é%" }, echo("/echo/+/%C3%A9%25").params)
    end)

    it("nothing where the path has another number of segments, or an empty one", function()
      for _, path in ipairs { "/echo/a", "/echo/a/b/c", "/echo/a/b/", "/echo//b", "/echo/a/" } do
        assert.equal(404, request("POST", path, ann).status)
      end
    end)

    it("nothing where a segment is broken", function()
      assert.equal(404, request("POST", "/echo/%zz/b", ann).status)
      assert.equal(404, request("POST", "/echo/%4/b", ann).status)
    end)

    it("only what no more literal path takes", function()
      assert.equal("literal", request("POST", "/echo/literal/b", ann).body)
    end)

    it("method, path, query, headers, body, address", function()
      local got = echo("/echo/a/b?x=1&y=a%20b+c&x=2", { ["x-some"] = "thing", cookie = "sid=1" },
        { body = "raw", address = "10.0.0.1", tag = ("t"):rep(16) })
      assert.equal("POST", got.method)
      assert.equal("/echo/a/b", got.path)
      assert.equal("/echo/a/b?x=1&y=a%20b+c&x=2", got.target)
      assert.same({ x = "1", y = "a b c" }, got.query)
      assert.equal("thing", got.header)
      assert.equal("sid=1", got.cookie)
      assert.equal("raw", got.body)
      assert.equal("10.0.0.1", got.address)
      assert.equal(("t"):rep(16), got.tag)
    end)

    it("who its identity says that it is, with the data", function()
      local got = echo "/echo/a/b"
      assert.equal("ann", got.user)
      assert.equal("reader", got.role)
    end)

    it("JSON, and forms", function()
      local value = { list = { 1, 2, 3 }, text = "å", deep = { yes = true } }
      assert.same({ got = value }, request("POST", "/json", nil, { json = value }).json)
      assert.same({ a = "1 2", b = "&" }, request("POST", "/form", nil, { body = "a=1+2&b=%26" }).json)
    end)

    it("no JSON that is none: that is the client's fault, 400", function()
      for _, body in ipairs { "", "{", "nonsense", '{"a":}', "[1,2" } do
        local answer = request("POST", "/json", nil, { body = body })
        assert.equal(400, answer.status)
        assert.equal("bad_json", answer.json.error.code)
      end
    end)
  end)

  describe("answers", function()
    local function answer(kind) return request("GET", "/answer/" .. kind) end

    it("a status alone, text, HTML, headers", function()
      assert.equal(202, answer("status").status)
      assert.equal("", answer("status").body)
      local text = answer "text"
      assert.same({ 200, "plain", "text/plain; charset=utf-8" },
        { text.status, text.body, text.headers["content-type"] })
      local html = answer "html"
      assert.same({ 200, "<p>hi</p>", "text/html; charset=utf-8" },
        { html.status, html.body, html.headers["content-type"] })
      local headers = answer "headers"
      assert.equal(303, headers.status)
      assert.equal("/there", headers.headers.location)
      assert.equal("[]", answer("list").body)
    end)

    it("what must not be stored, unless it says otherwise", function()
      assert.equal("no-store", answer("text").headers["cache-control"])
      assert.equal("max-age=60", answer("cached").headers["cache-control"])
    end)

    for _, kind in ipairs {
      "nothing", "word", "unknown", "two", "low", "broken", "own", "handle", "raises", "value",
    } do
      it("500 as JSON, and the log says where, when it fails: " .. kind, function()
        local failed = answer(kind)
        assert.equal(500, failed.status)
        assert.equal("application/json", failed.headers["content-type"])
        assert.equal("rule_failed", failed.json.error.code)
        assert.is_nil(failed.body:find("fixtures", 1, true))
        expect_errors(1, "spec/fixtures/routes.lua:")
      end)
    end

    it("while another one waits", function()
      local held = world:hold "GET /slow"
      local slow = request("GET", "/slow")
      assert.is_nil(slow.status)
      assert.equal(202, answer("status").status)
      held:answer { status = 201 }
      assert.equal(201, slow:result().status)
    end)

    it("500 when it is not done after its deadline", function()
      world:hold "GET /slow"
      local slow = request("GET", "/slow")
      world:advance(4.9)
      assert.is_nil(slow:result().status)
      world:advance(6)
      assert.equal(500, slow:result().status)
      expect_errors(1)
    end)
  end)

  describe("that emits", function()
    local tab

    before_each(function() tab = world:connect "/events" end)

    local function emit(kind) return request("POST", "/emit/" .. kind) end
    local function said() return table.concat(seen.data(tab, "said"), " ") end

    it("publishes all when it returns, whatever it answers", function()
      assert.equal(204, emit("good").status)
      assert.equal("1 2", said())
      assert.equal(409, emit("refuses").status)
      assert.equal("1 2 1", said())
    end)

    it("publishes nothing when it raises", function()
      assert.equal(500, emit("raises").status)
      assert.equal(500, emit("bad").status)
      assert.equal("", said())
      assert.equal(0, world:counters().emitted)
      expect_errors(2, "half done")
    end)

    it("publishes nothing before it returns, however long it waits", function()
      local held = world:hold "GET /wait"
      local answer = emit "waits"
      world:advance(2)
      assert.equal("", said())
      held:answer {}
      assert.equal("1 2", said())
      assert.equal(204, answer:result().status)
    end)

    it("publishes what is there when it says so", function()
      local held = world:hold "GET /wait"
      emit "flushes"
      assert.equal("1", said())
      held:answer {}
      assert.equal("1 2", said())
    end)

    it("does not take back what was flushed when it raises later", function()
      assert.equal(500, emit("flushed").status)
      assert.equal("1", said())
      expect_errors(1)
    end)

    it("is not disturbed by an error that it caught", function()
      assert.equal(204, emit("caught").status)
      assert.equal("1 2", said())
    end)
  end)

  describe("with an identity", function()
    it("is not run for nobody, nor for whom nobody knows", function()
      assert.equal(401, request("GET", "/me").status)
      local unknown = request("GET", "/me", { ["x-fails"] = "1" })
      assert.equal(503, unknown.status)
      assert.truthy(unknown.headers["retry-after"])
      assert.equal("ann", request("GET", "/me", ann).json.user)
      expect_errors(1)
    end)

    local function from(headers)
      headers["x-user"] = "ann"
      return headers
    end

    local cross = {
      { origin = "https://evil.test" }, { origin = "null" }, { origin = "http://127.0.0.1:8081" },
      { origin = "https://127.0.0.1:8080.evil.test" }, { ["sec-fetch-site"] = "cross-site" },
      { ["sec-fetch-site"] = "same-site" }, { origin = "http://127.0.0.1:8080", ["sec-fetch-site"] = "cross-site" },
    }
    for i, headers in ipairs(cross) do
      it("refuses what comes from another site: " .. i, function()
        for _, endpoint in ipairs { { "GET", "/me" }, { "PUT", "/things/1" }, { "GET", "/private" } } do
          local answer = request(endpoint[1], endpoint[2], from(headers))
          assert.equal(403, answer.status)
          assert.equal("cross_site", answer.json.error.code)
          assert.is_nil(answer.headers["access-control-allow-origin"])
        end
      end)
    end

    for what, headers in pairs {
      ["its own site"] = { origin = "http://127.0.0.1:8080" },
      ["its own site behind TLS"] = { origin = "https://127.0.0.1:8080" },
      ["the same origin"] = { ["sec-fetch-site"] = "same-origin" },
      ["the address line"] = { ["sec-fetch-site"] = "none" },
      ["no browser"] = {},
    } do
      it("lets through what comes from " .. what, function()
        assert.equal(200, request("GET", "/me", from(headers)).status)
        assert.equal(204, request("PUT", "/things/1", from(headers)).status)
        assert.equal(200, world:connect("/private", { headers = from(headers) }).status)
      end)
    end

    it("names exactly the listed origin, with credentials and Vary", function()
      for _, origin in ipairs { "https://listed.test", "https://other.test:8443" } do
        local answer = request("PUT", "/things/1", from { origin = origin })
        assert.equal(204, answer.status)
        assert.equal(origin, answer.headers["access-control-allow-origin"])
        assert.equal("true", answer.headers["access-control-allow-credentials"])
        assert.equal("Origin", answer.headers.vary)
      end
      local stream = world:connect("/private", { headers = from { origin = "https://listed.test" } })
      assert.equal("https://listed.test", stream.headers["access-control-allow-origin"])
      assert.equal("Origin", request("PUT", "/things/1", ann).headers.vary)
    end)

    it("tells a listed page also that it was refused", function()
      local answer = request("PUT", "/things/1", { origin = "https://listed.test" })
      assert.equal(401, answer.status)
      assert.equal("https://listed.test", answer.headers["access-control-allow-origin"])
      local stream = request("GET", "/private", { origin = "https://listed.test" })
      assert.equal(401, stream.status)
      assert.equal("https://listed.test", stream.headers["access-control-allow-origin"])
    end)
  end)

  describe("without one", function()
    it("may be read from anywhere, but changed from other sites only where that is listed", function()
      local evil = { origin = "https://evil.test" }
      assert.equal(202, request("GET", "/answer/status", evil).status)
      assert.equal(403, request("POST", "/emit/good", evil).status)
      assert.equal(204, request("POST", "/hook", evil).status)
      local answer = request("GET", "/public", evil)
      assert.equal("*", answer.headers["access-control-allow-origin"])
      assert.is_nil(answer.headers["access-control-allow-credentials"])
    end)
  end)

  describe("that is asked with OPTIONS", function()
    local function preflight(origin, method, path)
      return request("OPTIONS", path or "/things/1", {
        origin = origin, ["access-control-request-method"] = method or "PUT",
        ["access-control-request-headers"] = "x-session-tag,content-type",
      })
    end

    it("says what a listed page may send, without asking who it is", function()
      local answer = preflight "https://listed.test"
      assert.equal(204, answer.status)
      assert.equal("https://listed.test", answer.headers["access-control-allow-origin"])
      assert.equal("true", answer.headers["access-control-allow-credentials"])
      assert.truthy(answer.headers["access-control-allow-methods"]:find("PUT", 1, true))
      assert.equal("x-session-tag,content-type", answer.headers["access-control-allow-headers"])
      assert.equal("Origin", answer.headers.vary)
    end)

    it("names no origin to a page that is not listed", function()
      assert.is_nil(preflight("https://evil.test").headers["access-control-allow-origin"])
    end)

    it("answers for the route that the page is about to use", function()
      local origin = "https://other.test:8443"
      assert.equal(origin, preflight(origin, "PUT").headers["access-control-allow-origin"])
      assert.is_nil(preflight(origin, "DELETE").headers["access-control-allow-origin"])
    end)

    it("answers for the route, not for the static directory around it", function()
      local answer = preflight("https://listed.test", "PUT", "/files/one")
      assert.equal("https://listed.test", answer.headers["access-control-allow-origin"])
      assert.equal(204, request("PUT", "/files/one", { origin = "https://listed.test" }).status)
      assert.equal("spec/fixtures/../support one", request("GET", "/files/one").body)
    end)

    it("lists the methods of the path", function()
      local allow = request("OPTIONS", "/things/1").headers.allow
      assert.truthy(allow:find("PUT", 1, true) and allow:find("DELETE", 1, true), allow)
    end)
  end)

  it("that does not take a method is 405 and says which it takes", function()
    local answer = request("POST", "/things/1", ann)
    assert.equal(405, answer.status)
    assert.truthy(answer.headers.allow:find("PUT", 1, true))
    assert.equal("method_not_allowed", answer.json.error.code)
    assert.equal(405, request("POST", "/events").status)
    assert.equal("GET, HEAD, OPTIONS", request("POST", "/files/some/where").headers.allow)
    assert.equal(404, request("GET", "/nowhere").status)
    assert.equal("not_found", request("GET", "/nowhere").json.error.code)
  end)

  it("answers HEAD like GET, without the body", function()
    local answer = request("HEAD", "/answer/text")
    assert.equal(200, answer.status)
    assert.equal("", answer.body)
    assert.equal("text/plain; charset=utf-8", answer.headers["content-type"])
    assert.equal("text/event-stream", request("HEAD", "/events").headers["content-type"])
    assert.equal(0, world:counters().streams)
  end)

  it("is stopped when its client goes", function()
    local held = world:hold "GET /slow"
    local tab = world:connect "/slow"
    tab:cut()
    held:answer { status = 200 }
    assert.equal("ended", tab.state)
  end)
end)
