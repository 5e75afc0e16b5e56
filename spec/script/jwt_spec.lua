-- sluice.jwt: which tokens are good, and which of the many that look so are not. The signatures of forged tokens
-- are made here by the library's own jwt.sign, or cut and glued.

local pairs_of = require "spec.fixtures.token_keys"
local rules    = require "spec.support.rules"

local SECRET = ("s"):rep(40)
local NOW    = 1700000000

local HEAD = ([[
  local jwt, json = require "sluice.jwt", require "sluice.json"
  local SECRET, OTHER, OLD = %q, ("o"):rep(40), ("p"):rep(40)
  local RSA, RSA_PUBLIC, EC, EC_PUBLIC = %q, %q, %q, %q
]]):format(SECRET, pairs_of.rsa_private, pairs_of.rsa_public, pairs_of.ec_private, pairs_of.ec_public)

local KEYS = HEAD .. [[
  local keys = jwt.keys { { alg = "HS256", key = SECRET }, { alg = "RS256", key = RSA_PUBLIC, kid = "pair" },
                          { alg = "ES256", key = EC_PUBLIC } }
]]

local function encode(text)
  local bits = {}
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local number = a * 65536 + (b or 0) * 256 + (c or 0)
    for i = 0, c and 3 or b and 2 or 1 do
      local digit = math.floor(number / 64 ^ (3 - i)) % 64
      bits[#bits + 1] = alphabet:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(bits)
end

-- As Lua text.
local function unsigned(header, claims) return ('"%s.%s.x"'):format(encode(header), encode(claims)) end

describe("sluice.jwt", function()
  local world

  after_each(function() world:close() end)

  --- What a route answers that runs this after the keys are there.
  local function run(body, before)
    world = rules.route(body, before or KEYS, { wall = NOW })
    local answer = world:request("POST", "/run", {})
    return answer.status == 200 and (answer.json or answer.body) or world:log()
  end

  --- The code with which jwt.verify refuses what `body` returns as token and options.
  local function refused(token, options)
    local said = run(("local claims, code, why = jwt.verify(%s, { keys = keys, %s })\n"):format(token, options or "") ..
      "return { json = { claims == nil, code, type(why) } }")
    assert.is_table(said, said)
    assert.same({ true, "string" }, { said[1], said[3] })
    return said[2]
  end

  it("gives the claims of what a key of ours has signed, by each kind of algorithm", function()
    assert.same({ { sub = "ann", n = { 1, 2 } }, "bob", "cid" }, run [[
      local hs = jwt.sign({ sub = "ann", n = { 1, 2 } }, { alg = "HS256", key = SECRET })
      local rs = jwt.sign({ sub = "bob" }, { alg = "RS256", key = RSA, kid = "pair" })
      local es = jwt.sign({ sub = "cid" }, { alg = "ES256", key = EC })
      return { json = { jwt.verify(hs, { keys = keys }), jwt.verify(rs, { keys = keys }).sub,
                        jwt.verify(es, { keys = keys }).sub } }
    ]])
  end)

  it("refuses what another key has signed, and what was changed since", function()
    assert.equal("signature", refused [[jwt.sign({ sub = "ann" }, { alg = "HS256", key = OTHER })]])
    world:close()
    assert.equal("signature", refused [[(function()
      local mine = jwt.sign({ sub = "ann" }, { alg = "HS256", key = SECRET })
      local theirs = jwt.sign({ sub = "bob" }, { alg = "HS256", key = OTHER })
      return mine:match "^[^.]+" .. theirs:match "%.[^.]+" .. mine:match "%.[^.]+$"
    end)()]])
  end)

  it("takes nothing behind a token's three parts", function()
    assert.equal("", run [[
      local taken = {}
      for name, key in pairs { HS256 = SECRET, RS256 = RSA, ES256 = EC } do
        local token = jwt.sign({ sub = "ann" }, { alg = name, key = key })
        assert(jwt.verify(token, { keys = keys }))
        for _, behind in ipairs { ".", ".x", "=", "!x", " ", "\n" } do
          local claims, code = jwt.verify(token .. behind, { keys = keys })
          if claims or code ~= "malformed" then taken[#taken + 1] = ("%s with %q: %s"):format(name, behind, code) end
        end
      end
      return 200, table.concat(taken, ", ")
    ]])
  end)

  it("takes no algorithm from the token: none", function()
    for i, signature in ipairs { "", "x" } do
      if i > 1 then world:close() end
      local token = encode '{"alg":"none","typ":"JWT"}' .. "." .. encode '{"sub":"ann"}' .. "." .. signature
      assert.equal("algorithm", refused(("%q"):format(token)))
    end
  end)

  it("takes no algorithm from the token: a public key is no secret", function()
    local said = run [[return { json = { pcall(jwt.keys, { { alg = "HS256", key = RSA_PUBLIC } }) } }]]
    assert.is_false(said[1])
    assert.truthy(said[2]:find("a public key as a secret is one that everybody has", 1, true))
  end)

  it("takes no algorithm from the token: HS256 signed with the text of the RSA key", function()
    assert.equal("algorithm", refused(("%q"):format(pairs_of.forged)))
  end)

  it("refuses another algorithm with the same secret, and a key id that is another key's", function()
    local long = '{ alg = "HS512", key = SECRET .. SECRET }'
    assert.equal("algorithm", refused("jwt.sign({ sub = 'ann' }, " .. long .. ")"))
    world:close()
    assert.equal("algorithm", refused [[jwt.sign({ sub = "ann" }, { alg = "HS256", key = SECRET, kid = "pair" })]])
  end)

  for what, token in pairs {
    nothing = '""', ["no dots"] = '"abcdef"', ["dots"] = '".."', ["no JSON"] = '"a.b.c"',
    ["a NUL"] = [[jwt.sign({ sub = "ann" }, { alg = "HS256", key = SECRET }) .. "\0"]],
    ["eight kilobytes"] = [[jwt.sign({ sub = ("x"):rep(9000) }, { alg = "HS256", key = SECRET })]],
    ["a list"] = unsigned('["alg","HS256"]', '{"sub":"ann"}'),
    ["a critical header"] = unsigned('{"alg":"HS256","crit":["exp"]}', "{}"),
    ["a time that is a text"] = [[jwt.sign({ exp = "never" }, { alg = "HS256", key = SECRET })]],
    ["a time below all"] = [[jwt.sign({ exp = -1 }, { alg = "HS256", key = SECRET })]],
  } do
    it("refuses what is no token: " .. what, function() assert.equal("malformed", refused(token)) end)
  end

  it("says that there is none", function() assert.equal("missing", refused "nil") end)

  local function outcome(claims, options)
    return run(([[
      local token = jwt.sign({ %s }, { alg = "HS256", key = SECRET })
      return 200, select(2, jwt.verify(token, { keys = keys, %s })) or "good"
    ]]):format(claims, options))
  end

  it("looks at the time, with some leeway", function()
    for i, case in ipairs {
      { "exp = %d", -6, "expired" }, { "exp = %d", -5, "expired" }, { "exp = %d", -4 }, { "exp = %d", 60 },
      { "nbf = %d", 6, "not_yet" }, { "nbf = %d", 5 },
      { "exp = %d", -1, "expired", "leeway = 0" }, { "exp = %d", -59, nil, "leeway = 60" },
      { "nbf = %d", 1, "not_yet", "leeway = 0" },
    } do
      if i > 1 then world:close() end
      assert.equal(case[3] or "good", outcome(case[1]:format(NOW + case[2]), case[4] or ""), case[1] .. case[2])
    end
  end)

  it("looks whom it is for and from", function()
    for i, case in ipairs {
      { "aud = 'sluice'", "aud = 'sluice'", "good" }, { "aud = { 'a', 'sluice' }", "aud = 'sluice'", "good" },
      { "aud = 'other'", "aud = 'sluice'", "audience" }, { "aud = { 'other' }", "aud = 'sluice'", "audience" },
      { "sub = 'ann'", "aud = 'sluice'", "audience" }, { "aud = 'other'", "", "audience" },
      { "aud = json.null", "", "good" }, { "aud = 'other'", "aud = false", "good" }, { "aud = {}", "", "audience" },
      { "iss = 'us'", "iss = 'us'", "good" }, { "iss = 'them'", "iss = 'us'", "issuer" },
      { "", "iss = 'us'", "issuer" },
    } do
      if i > 1 then world:close() end
      assert.equal(case[3], outcome(case[1], case[2]), case[1] .. ", " .. case[2])
    end
  end)

  it("lets keys change: each as long as it is listed", function()
    assert.same({ "new", "old", "signature" }, run([[
      local both = jwt.keys { { alg = "HS256", key = SECRET, kid = "2" }, { alg = "HS256", key = OLD, kid = "1" } }
      local function who(key, kid)
        local token = jwt.sign({ sub = kid and "new" or "old" }, { alg = "HS256", key = key, kid = kid })
        local claims, code = jwt.verify(token, { keys = both })
        return claims and claims.sub or code
      end
      return { json = { who(SECRET, "2"), who(OLD), who(OLD, "2") } }
    ]], HEAD))
  end)

  it("reads a token where it was told to, the header first", function()
    world = rules.load(KEYS .. [[
      app:route("where", "GET /where", { run = function(req)
        return 200, tostring(jwt.bearer(req, { "header", cookie = "auth", query = "token" })) .. " " ..
                    tostring(jwt.bearer(req))
      end })
    ]])
    local function where(path, headers) return world:request("GET", path, { headers = headers }).body end
    assert.equal("a a", where("/where?token=q", { authorization = "bearer a", cookie = "auth=c" }))
    assert.equal("c nil", where("/where?token=q", { cookie = "x=1; auth=c; authx=d" }))
    assert.equal("q nil", where("/where?token=q", { authorization = "Basic a" }))
    assert.equal("nil nil", where("/where", { cookie = "xauth=c" }))
  end)

  describe(".identity", function()
    local APP = KEYS .. [[
      local who = jwt.identity { keys = keys, aud = "sluice", from = { "header", cookie = "auth" },
        data = function(claims) return { role = claims.role } end }
      local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })
      app:stream("events", { path = "/events", identity = who, topics = function(_, sub) return mine(sub.user) end })
      app:route("me", "GET /me", { identity = who, run = function(req)
        return 200, req.user .. " " .. tostring(req.data.role)
      end })
      app:route("sign", "POST /sign", { run = function(req)
        return 200, jwt.sign(req:json(), { alg = "HS256", key = SECRET })
      end })
    ]]

    local function start() world = rules.load(APP, { wall = NOW }) end

    local function bearer(claims)
      return { headers = { authorization = "Bearer " .. world:request("POST", "/sign", { json = claims }).body } }
    end

    it("says who it is on streams and routes; without a token, or with a bad one: no", function()
      start()
      local good = bearer { sub = "ann", aud = "sluice", role = "admin" }
      assert.equal("ann admin", world:request("GET", "/me", good).body)
      assert.equal(200, world:connect("/events", good).status)
      for _, options in ipairs {
        {}, { headers = { authorization = "Bearer x" } }, bearer { sub = "ann" }, bearer { sub = "ann", aud = "other" },
        bearer { aud = "sluice" }, bearer { sub = "", aud = "sluice" }, bearer { sub = 5, aud = "sluice" },
        bearer { sub = "ann", aud = "sluice", exp = NOW - 60 },
      } do
        assert.equal(401, world:request("GET", "/me", options).status)
        assert.equal(401, world:connect("/events", options).status)
      end
    end)

    it("ends a stream when its token's time is over", function()
      start()
      local tab = world:connect("/events", bearer { sub = "ann", aud = "sluice", exp = NOW + 60 })
      world:advance(50)
      assert.is_true(tab:is_open())
      world:advance(16)
      assert.is_false(tab:is_open())
      assert.equal("expired", tab:types()[#tab:types()])
    end)

    it("takes a token that is good for longer than streams can last", function()
      start()
      for _, exp in ipairs { 253402300799, 253402300800, 999999999999 } do
        local tab = world:connect("/events", bearer { sub = "ann", aud = "sluice", exp = exp })
        assert.equal(200, tab.status)
        world:advance(3600)
        assert.is_true(tab:is_open())
      end
    end)

    it("leaves no token in the log", function()
      world = rules.load(APP, { wall = NOW })
      local options = bearer { sub = "ann" }
      world:request("GET", "/me", options)
      assert.is_nil(world:log():find(options.headers.authorization:sub(8), 1, true))
      assert.is_nil(world:log():find(SECRET, 1, true))
    end)
  end)

  it("keeps its keys to itself", function()
    assert.equal("{} keys", run [[
      local seen = ""
      for name in pairs(keys) do seen = seen .. name end
      return 200, "{" .. seen .. "} " .. getmetatable(keys)
    ]])
  end)
end)
