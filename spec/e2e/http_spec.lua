-- HTTP/1.1 over a real socket. How every byte is judged is in spec/c/test_http1.c; here is how it feels outside.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local sse  = require "spec.support.sse"
local tcp  = require "spec.support.tcp"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "http"
local cookie = sluice.identity(function(req) return req.headers.cookie and { user = "ann" } end)
local LISTED = { "https://app.example", "http://127.0.0.1:3000" }

local function echo(req) return { json = { method = req.method, target = req.target, body = req.body } } end
app:route("get",   "GET /echo",        { run = echo })
app:route("post",  "POST /echo",       { run = echo })
app:route("put",   "PUT /mine/{name}", { run = function(_, params) return 200, params.name end,
                                         identity = cookie, origins = LISTED })
app:route("read",  "GET /mine/{name}", { run = function(_, params) return 200, params.name end,
                                         identity = cookie, origins = LISTED })
app:route("world", "GET /world",       { run = function() return { json = { 1, 2 } } end, origins = { "*" } })
app:stream("events", { path = "/events", identity = cookie, origins = LISTED })
]]

local COOKIE = "session=1"

-- What the server answers to these bytes, and whether it closes the connection.
local function raw(server, bytes)
  local conn = tcp.connect(server.address)
  conn:send(bytes)
  return conn:read_all(5)
end

describe("a connection", function()
  it("is kept for the next request, and closed where the client asks for it", function()
    local server = e2e.server { rules = RULES }
    local client = http.connect(server.address)
    for i = 1, 3 do
      local answer = client:request { path = "/echo?n=" .. i }
      assert.equal("/echo?n=" .. i, answer.json().target)
      assert.equal("no-store", answer.headers["cache-control"])
    end
    assert.equal("close", client:request({ path = "/echo", headers = { Connection = "close" } }).headers.connection)
    client:wait_end()
    assert.matches("^HTTP/1.1 200 OK\r\n.*Connection: close\r\n", raw(server, "GET /echo HTTP/1.0\r\n\r\n"))
  end)

  it("takes requests ahead and answers them in order", function()
    local server = e2e.server { rules = RULES }
    local client = http.connect(server.address)
    for i = 1, 50 do client:start { method = "POST", path = "/echo", body = tostring(i) } end
    for i = 1, 50 do assert.equal(tostring(i), client:answer().json().body) end
  end)

  it("takes bodies of a known length, in chunks, and behind 100-continue", function()
    local server = e2e.server { rules = RULES }
    assert.equal("abc", http.post(server.address, "/echo", { body = "abc" }).json().body)
    local client = http.connect(server.address)
    client._methods[1] = "POST"
    client:send "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    client:send "4;x=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n"
    assert.equal("abcdefg", client:answer().json().body)
    local waiting = tcp.connect(server.address)
    waiting:send "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert.equal("HTTP/1.1 100 Continue\r\n\r\n", waiting:read_until "\r\n\r\n")
    waiting:send "hi"
    assert.matches("^HTTP/1.1 200 OK", waiting:read_until '"hi"')
  end)

  it("has limits: 431, 413, 408", function()
    local server = e2e.server { rules = RULES, conf = [[
      head_bytes = 2048  body_bytes = 1000  head_timeout = 0.3  body_timeout = 0.3  keepalive_timeout = 0.3 ]] }
    local function refusal(bytes)
      local status, code = raw(server, bytes):match '^HTTP/1.1 (%d+) .*Connection: close.*"code":"([%w_]+)"'
      return { tonumber(status), code }
    end
    assert.same({ 431, "head_too_large" }, refusal("GET / HTTP/1.1\r\nHost: a\r\nX: " .. ("x"):rep(3000)))
    assert.same({ 413, "body_too_large" }, refusal "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
    assert.same({ 413, "body_too_large" }, refusal("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                                                   .. "\r\n\r\n400\r\n" .. ("x"):rep(1024) .. "\r\n"))
    assert.same({ 408, "timeout" }, refusal "GET / HTTP/1.1\r\nHo")
    assert.same({ 408, "timeout" }, refusal "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    assert.equal("", raw(server, ""))
  end)
end)

describe("a malformed request", function()
  local CASES = {
    ["two lengths"]             = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    ["a length and chunks"]     = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                  .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ["an unknown coding"]       = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ["a bare LF"]               = "GET /echo HTTP/1.1\nHost: a\n\n",
    ["a folded line"]           = "GET /echo HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    ["a space before a colon"]  = "GET /echo HTTP/1.1\r\nHost : a\r\n\r\n",
    ["two hosts"]               = "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ["no host"]                 = "GET /echo HTTP/1.1\r\n\r\n",
    ["a NUL"]                   = "GET /echo HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    ["a fragment"]              = "GET /echo#a HTTP/1.1\r\nHost: a\r\n\r\n",
    ["a negative length"]       = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ["a chunk without a size"]  = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ["no request"]              = "\22\3\1\2\0\1\0\1\252\3\3 a client that speaks TLS\r\n",
  }
  it("is answered with 400 and closed", function()
    local server = e2e.server { rules = RULES }
    for what, bytes in pairs(CASES) do
      local answer = raw(server, bytes .. "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
      assert.matches("^HTTP/1.1 400 Bad Request\r\n", answer, 1, what)
      assert.matches('{"error":{"code":"bad_request","message":"[^"]+"}}', answer, 1, what)
      assert.equal(1, select(2, answer:gsub("HTTP/1.1 %d", "")), what)
    end
    assert.equal(200, http.get(server.address, "/echo").status)
  end)
end)

describe("a path", function()
  it("is 404 where nothing is, 405 with Allow where the method is wrong; HEAD is GET without a body", function()
    local server = e2e.server { rules = RULES }
    local gone = http.get(server.address, "/nowhere")
    assert.same({ 404, "not_found" }, { gone.status, gone.json().error.code })
    local wrong = http.request(server.address, { method = "DELETE", path = "/echo" })
    assert.same({ 405, "GET, HEAD, POST, OPTIONS" }, { wrong.status, wrong.headers.allow })
    assert.equal(405, http.post(server.address, "/events").status)
    local head = http.request(server.address, { method = "HEAD", path = "/world" })
    assert.same({ 200, "", "5" }, { head.status, head.body, head.headers["content-length"] })
  end)

  it("is split before it is decoded: a parameter is one segment", function()
    local server = e2e.server { rules = RULES }
    local answer = http.get(server.address, "/mine/https:%2F%2Fposta.no%2F@bob", { cookie = COOKIE })
    assert.equal("https://posta.no/@bob", answer.body)
    assert.equal(404, http.get(server.address, "/mine/a/b", { cookie = COOKIE }).status)
    assert.equal(404, http.get(server.address, "/mine/%zz", { cookie = COOKIE }).status)
  end)
end)

describe("another site's page", function()
  local function preflight(server, path, origin)
    return http.request(server.address, { method = "OPTIONS", path = path, headers = {
      Origin = origin, ["Access-Control-Request-Method"] = "PUT",
      ["Access-Control-Request-Headers"] = "x-session-tag" } })
  end

  it("may send credentials from a listed origin only", function()
    local server = e2e.server { rules = RULES }
    local good = preflight(server, "/mine/a", "https://app.example")
    assert.equal(204, good.status)
    assert.equal("https://app.example", good.headers["access-control-allow-origin"])
    assert.equal("true", good.headers["access-control-allow-credentials"])
    assert.matches("PUT", good.headers["access-control-allow-methods"])
    assert.equal("x-session-tag", good.headers["access-control-allow-headers"])
    assert.equal("Origin", good.headers.vary)
    for _, origin in ipairs { "https://evil.example", "null", "https://app.example.evil", "http://app.example" } do
      local bad = preflight(server, "/mine/a", origin)
      assert.is_nil(bad.headers["access-control-allow-origin"])
      assert.equal("Origin", bad.headers.vary)
    end
    local world = preflight(server, "/world", "https://evil.example")
    assert.equal("*", world.headers["access-control-allow-origin"])
    assert.is_nil(world.headers["access-control-allow-credentials"])
  end)

  it("is refused where an identity is asked for, streams as well as routes", function()
    local server = e2e.server { rules = RULES }
    local function status(headers, method, path)
      headers.cookie = COOKIE
      local request = { method = method or "PUT", path = path or "/mine/a", headers = headers }
      return http.request(server.address, request).status
    end
    local host = server.address
    assert.equal(200, status { Origin = "https://app.example", ["Sec-Fetch-Site"] = "cross-site" })
    assert.equal(200, status { Origin = "http://" .. host, Host = host, ["Sec-Fetch-Site"] = "same-origin" })
    assert.equal(200, status {})
    assert.equal(403, status { Origin = "https://evil.example" })
    assert.equal(403, status { Origin = "null" })
    assert.equal(403, status { ["Sec-Fetch-Site"] = "cross-site" })
    assert.equal(403, status({ ["Sec-Fetch-Site"] = "same-site" }, "GET"))
    assert.equal(403, status({ ["Sec-Fetch-Site"] = "cross-site" }, "GET", "/events"))
    local answer = http.get(host, "/mine/a", { cookie = COOKIE, Origin = "https://app.example" })
    assert.equal("https://app.example", answer.headers["access-control-allow-origin"])
    local tab = sse.open(host, { headers = { cookie = COOKIE, Origin = "http://127.0.0.1:3000" } })
    assert.equal("true", tab.headers["access-control-allow-credentials"])
    assert.equal(5, server:metric "sluice_cross_site_refused_total")
  end)
end)
