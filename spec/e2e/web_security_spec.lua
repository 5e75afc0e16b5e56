-- What a page of another site, another user, or a forger gets over real HTTP: nothing. One line of the design each.
-- Shown elsewhere, and not again here:
--   * which requests count as cross-site, every combination of Origin and Sec-Fetch-Site: spec/engine/routes_spec.lua
--   * "*" with an identity, "null", a malformed origin are errors at the start: spec/bad/origins.lua
--   * an admin address beyond loopback without a key is one: spec/bad/admin_open.conf; Host, key: admin_spec.lua
--   * tokens: every forgery in spec/script/jwt_spec.lua; secrets in recordings: record_spec.lua, spec/c/test_redact.c
--   * CR, LF, NUL in what rules emit: spec/script/emit_spec.lua; in addresses of requests: spec/c/test_http1.c
--   * texts compared in constant time: text_equal_secret, spec/c/test_text.c

local cjson = require "cjson"
local e2e   = require "spec.support.e2e"
local http  = require "spec.support.http"
local sse   = require "spec.support.sse"
local tcp   = require "spec.support.tcp"

local SECRET = ("not to be seen "):rep(3)

local RULES = [[
local sluice = require "sluice"
local jwt    = require "sluice.jwt"
local app    = sluice.app "guarded"
local KEY    = sluice.env "JWT_KEY"
local keys   = jwt.keys { { alg = "HS256", key = KEY } }

local cookie = sluice.identity(function(req)
  local user = (req.headers.cookie or ""):match "user=(%w+)"
  return user and { user = user }
end)
local token  = jwt.identity { keys = keys, aud = "guarded" }
local LISTED = { "https://app.example" }
local mine   = app:topic("user:{user}", { subscribe = sluice.owner "user", history = { size = 16, ttl = 60 } })

local function own(_, sub) return mine(sub.user) end
app:stream("events", { path = "/events", identity = cookie, topics = own, origins = LISTED })
app:stream("tokens", { path = "/tokens", identity = token, topics = own })
app:route("read", "GET /mine", { identity = cookie, origins = LISTED, run = function(req) return 200, req.user end })
app:route("emit", "POST /emit/{user}/{type}", { identity = cookie, origins = LISTED, run = function(req, params)
  mine(params.user):emit(params.type, req.body)
  return 204
end })
app:route("sign", "POST /sign/{alg}", { run = function(req, params)
  local key = { alg = params.alg, key = KEY .. KEY }
  if params.alg == "HS256" then key.key = KEY end
  return 200, jwt.sign(req:json(), key)
end })
app:route("head", "POST /head", { run = function(req)
  return { status = 204, headers = { ["x-back"] = req.body } }
end })
]]

describe("over HTTP", function()
  local server

  before_each(function()
    server = e2e.server { rules = RULES, env = { JWT_KEY = SECRET }, errors = "rule failed",
                          conf = 'log_level = "debug"' }
  end)

  local function ask(method, path, headers, body)
    return http.request(server.address, { method = method, path = path, headers = headers, body = body })
  end

  local function open(path, headers) return sse.open(server.address, { path = path, headers = headers }) end

  describe("another site", function()
    local FOREIGN = { "https://evil.example", "https://app.example.evil", "http://app.example",
                      "https://app.example:444", "null" }

    it("gets neither stream nor route of a user with a cookie; a listed one, ours, and no browser do", function()
      for _, origin in ipairs(FOREIGN) do
        for _, call in ipairs { { "GET", "/events" }, { "GET", "/mine" }, { "POST", "/emit/ann/x" } } do
          local answer = ask(call[1], call[2], { Cookie = "user=ann", Origin = origin })
          assert.equal(403, answer.status, origin .. " " .. call[2])
          assert.is_nil(answer.headers["access-control-allow-origin"])
        end
      end
      assert.equal(403, ask("GET", "/mine", { Cookie = "user=ann", ["Sec-Fetch-Site"] = "cross-site" }).status)
      assert.equal(403, ask("GET", "/mine", { Cookie = "user=ann", ["Sec-Fetch-Site"] = "same-site" }).status)
      for _, headers in ipairs { {}, { Origin = "https://app.example" }, { ["Sec-Fetch-Site"] = "same-origin" },
                                 { Origin = "http://page.example", Host = "page.example" } } do
        headers.Cookie = "user=ann"
        assert.equal(200, ask("GET", "/mine", headers).status)
      end
    end)

    it("is named exactly, with Vary, in answers and preflights; no answer is stored", function()
      local answer = ask("GET", "/mine", { Cookie = "user=ann", Origin = "https://app.example" })
      assert.equal("https://app.example", answer.headers["access-control-allow-origin"])
      assert.equal("true", answer.headers["access-control-allow-credentials"])
      assert.equal("Origin", answer.headers.vary)
      assert.equal("no-store", answer.headers["cache-control"])
      assert.equal("Origin", ask("GET", "/mine", { Cookie = "user=ann" }).headers.vary)
      local preflight = { Origin = "https://app.example", ["Access-Control-Request-Method"] = "POST" }
      answer = ask("OPTIONS", "/emit/ann/x", preflight)
      assert.same({ 204, "https://app.example", "POST, OPTIONS" }, { answer.status,
        answer.headers["access-control-allow-origin"], answer.headers["access-control-allow-methods"] })
      preflight.Origin = "https://evil.example"
      answer = ask("OPTIONS", "/emit/ann/x", preflight)
      assert.is_nil(answer.headers["access-control-allow-origin"])
      assert.is_nil(answer.headers["access-control-allow-methods"])
      assert.equal("no-store", ask("GET", "/nothing").headers["cache-control"])
    end)
  end)

  it("another user with a tab's tag neither silences it nor sees anything of it", function()
    local TAG = "the-tag-of-anns-1"
    local ann = open("/events", { Cookie = "user=ann", ["X-Session-Tag"] = TAG })
    local bob = open("/events", { Cookie = "user=bob", ["X-Session-Tag"] = TAG })
    ann:next "ready" bob:next "ready"
    ask("POST", "/emit/ann/from-bob", { Cookie = "user=bob", ["X-Session-Tag"] = TAG }, "1")
    ann:next "from-bob"
    ask("POST", "/emit/ann/from-ann", { Cookie = "user=ann", ["X-Session-Tag"] = TAG }, "2")
    ask("POST", "/emit/ann/last", { Cookie = "user=bob" }, "3")
    ann:next "last"
    ask("POST", "/emit/bob/own", { Cookie = "user=ann" }, "4")
    bob:next "own"
    assert.same({ "ready", "from-bob", "last" }, ann:types())
    assert.same({ "ready", "own" }, bob:types())
  end)

  it("another's cursor brings nothing of the other's, and a forged one nothing at all", function()
    local ann = open("/events", { Cookie = "user=ann" })
    local before = ann:next("ready").id
    ask("POST", "/emit/ann/secret", { Cookie = "user=ann" }, "psst")
    ann:next "secret"
    local bob = open("/events", { Cookie = "user=bob", ["Last-Event-ID"] = before })
    ask("POST", "/emit/bob/own", { Cookie = "user=ann" }, "1")
    bob:next "own"
    for _, kind in ipairs(bob:types()) do assert.not_equal("secret", kind) end
    local last = before:sub(-1) == "0" and "1" or "0"
    for _, forged in ipairs { before:sub(1, -2) .. last, ("0"):rep(32), "1", ("x"):rep(300) } do
      local again = open("/events", { Cookie = "user=ann", ["Last-Event-ID"] = forged })
      assert.is_false(cjson.decode(again:next("ready").data).resumed)
    end
  end)

  it("what breaks a line is neither a header nor an event's name", function()
    for _, bad in ipairs { "a\r\nset-cookie: x=1", "a\nb", "a\0b" } do
      local answer = ask("POST", "/head", {}, bad)
      assert.equal(500, answer.status)
      assert.is_nil(answer.headers["set-cookie"])
    end
    for _, bad in ipairs { "a%0Ab", "a%0D", "a%0D%0Adata:%20x" } do
      assert.equal(500, ask("POST", "/emit/ann/" .. bad, { Cookie = "user=ann" }, "x").status)
    end
    local conn = tcp.connect(server.address)
    conn:send("GET /mine HTTP/1.1\r\nHost: x\r\nCookie: user=ann\0\r\n\r\n")
    assert.matches("^HTTP/1.1 400 ", conn:read_all(5))
  end)

  it("a token of another algorithm, time or audience is none; and no log has a secret", function()
    local function sign(claims, alg) return http.post(server.address, "/sign/" .. (alg or "HS256"), claims).body end
    local NOW = os.time()
    local good = sign { json = { sub = "ann", aud = "guarded", exp = NOW + 60 } }
    local tokens = {
      sign({ json = { sub = "ann", aud = "guarded" } }, "HS512"),
      sign { json = { sub = "ann", aud = "guarded", exp = NOW - 60 } },
      sign { json = { sub = "ann", aud = "guarded", nbf = NOW + 60 } },
      sign { json = { sub = "ann", aud = "other" } },
      "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJhdWQiOiJndWFyZGVkIn0.",
      good:sub(1, -2) .. (good:sub(-1) == "A" and "B" or "A"), good .. ".x", "x", ("x"):rep(9000),
    }
    for i, token in ipairs(tokens) do
      assert.equal(401, ask("GET", "/tokens", { Authorization = "Bearer " .. token }).status, tostring(i))
      assert.equal(401, ask("HEAD", "/tokens", { Authorization = "Bearer " .. token }).status, tostring(i))
    end
    open("/tokens", { Authorization = "Bearer " .. good }):next "ready"
    assert.equal(401, ask("HEAD", "/events").status)
    assert.is_truthy(server:log():find("token refused", 1, true))
    for _, secret in ipairs { SECRET, good, tokens[1] } do assert.is_nil(server:log():find(secret, 1, true)) end
  end)
end)
