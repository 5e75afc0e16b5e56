--- sluice.jwt: JSON Web Tokens (RFC 7519): who says it is ann, and has somebody we trust signed that?
--
-- The algorithm is the key's, never the token's: a token that names another one is refused before the key is tried,
-- so that nobody signs with what is public. Times, audience and issuer are checked here.

local core = require "sluice.core"
local fail = require "sluice.fail"
local json = require "sluice.json"
local log  = require "sluice.log"

local jwt = {}

local LEEWAY = 5          -- seconds that clocks may differ
local KEYS_MAX = 16
local LATEST   = 253402300799 -- the end of the year 9999, behind which an identity cannot expire

-- algorithm -> bytes that its secret has at least (RFC 7518, 3.2); false: it is a key pair's
local ALGORITHMS = { HS256 = 32, HS384 = 48, HS512 = 64, RS256 = false, RS384 = false, RS512 = false, ES256 = false,
                     ES384 = false, ES512 = false }
local ALGORITHM_NAMES = {}
for name in pairs(ALGORITHMS) do ALGORITHM_NAMES[#ALGORITHM_NAMES + 1] = name end
table.sort(ALGORITHM_NAMES)

local sets = setmetatable({}, { __mode = "k" }) -- what jwt.keys gave -> its entries: nothing prints a secret

local function check_names(what, options, names)
  if type(options) ~= "table" then fail.raise("%s: expected a table, got %s", what, fail.show(options)) end
  for name in pairs(options) do
    local known = false
    for _, other in ipairs(names) do known = known or name == other end
    if not known then
      local hint = fail.hint(name, names)
      fail.raise("%s: unknown '%s'%s", what, tostring(name),
        hint ~= "" and hint or "; there are: " .. table.concat(names, ", "))
    end
  end
end

local function check_key(what, entry, pem)
  check_names(what, entry, { "alg", "key", "kid" })
  local least = ALGORITHMS[entry.alg]
  if least == nil then
    fail.raise("%s: 'alg': expected one of %s, got %s", what, table.concat(ALGORITHM_NAMES, ", "), fail.show(entry.alg))
  end
  if type(entry.key) ~= "string" then fail.raise("%s: 'key': expected a text, got a %s", what, type(entry.key)) end
  if entry.kid ~= nil and type(entry.kid) ~= "string" then
    fail.raise("%s: 'kid': expected a text, got %s", what, fail.show(entry.kid))
  end
  local is_pem = entry.key:find("-----BEGIN", 1, true)
  if least and is_pem then
    fail.raise("%s: 'key': %s takes a secret, and this is a PEM; a public key as a secret is one that everybody has",
      what, entry.alg)
  end
  if least and #entry.key < least then
    fail.raise("%s: 'key': %s takes a secret of at least %d bytes, got %d", what, entry.alg, least, #entry.key)
  end
  if not least and not entry.key:find("-----BEGIN " .. pem, 1, true) then
    fail.raise("%s: 'key': %s takes a PEM with a %s, which begins with -----BEGIN %s-----", what, entry.alg,
      pem:lower(), pem)
  end
  return { alg = entry.alg, key = entry.key, kid = entry.kid }
end

--- The keys that tokens may be signed with; several while they are changed.
-- @param list { { alg = "HS256", key = secret, kid = "2024" }, { alg = "RS256", key = the public key's PEM } }
function jwt.keys(list)
  if type(list) ~= "table" or #list == 0 or #list > KEYS_MAX then
    fail.raise("jwt.keys: expected a list of 1 to %d keys such as { alg = \"HS256\", key = ... }", KEYS_MAX)
  end
  local keys, entries = setmetatable({}, { __metatable = "keys" }), {}
  for i, entry in ipairs(list) do entries[i] = check_key(("jwt.keys: key %d"):format(i), entry, "PUBLIC KEY") end
  sets[keys] = entries
  return keys
end

-- The entries that may have signed it: those of its key id, or, where none has that, those without one.
local function candidates(entries, alg, kid)
  local named, fitting = false, {}
  for _, entry in ipairs(entries) do named = named or (kid ~= nil and entry.kid == kid) end
  for _, entry in ipairs(entries) do
    local meant = kid == nil or entry.kid == (named and kid or nil)
    if meant and entry.alg == alg then fitting[#fitting + 1] = entry end
  end
  return fitting
end

-- One text, or one of a list.
local function includes(value, wanted)
  if type(value) ~= "table" then return value == wanted end
  for _, item in ipairs(value) do
    if item == wanted then return true end
  end
  return false
end

local function is_time(value) return value == nil or (type(value) == "number" and value >= 0 and value < 1e12) end

-- Absent, or JSON's null.
local function given(value)
  if value == json.null then return nil end
  return value
end

local function judge(claims, options)
  local now, leeway = core.now(), options.leeway or LEEWAY
  local exp, nbf, aud = given(claims.exp), given(claims.nbf), given(claims.aud)
  if not is_time(exp) or not is_time(nbf) then return nil, "malformed", "exp and nbf are seconds since 1970" end
  if exp and now >= exp + leeway then return nil, "expired", "the token's time is over" end
  if nbf and now < nbf - leeway then return nil, "not_yet", "the token's time has not come" end
  if options.iss ~= nil and claims.iss ~= options.iss then
    return nil, "issuer", "the token was issued by another one"
  end
  if options.aud == nil and aud ~= nil or options.aud and not includes(aud, options.aud) then
    return nil, "audience", "the token is for somebody else"
  end
  return claims
end

local function check_rules(what, options)
  if not sets[options.keys or false] then fail.raise("%s: 'keys': expected what jwt.keys gives", what) end
  if options.leeway ~= nil and not (type(options.leeway) == "number" and options.leeway >= 0 and
     options.leeway <= 3600) then
    fail.raise("%s: 'leeway': expected seconds from 0 to 3600, got %s", what, fail.show(options.leeway))
  end
  if options.aud ~= nil and options.aud ~= false and type(options.aud) ~= "string" then
    fail.raise("%s: 'aud': expected a text, or false for any, got %s", what, fail.show(options.aud))
  end
  if options.iss ~= nil and type(options.iss) ~= "string" then
    fail.raise("%s: 'iss': expected a text, got %s", what, fail.show(options.iss))
  end
end

local function verify(token, options)
  if type(token) ~= "string" then return nil, "missing", "there is no token" end
  local alg, kid = core.jwt_read(token)
  if not alg then return nil, "malformed", "this is no signed token, or it is longer than 8 KiB" end
  local fitting = candidates(sets[options.keys], alg, kid)
  if #fitting == 0 then return nil, "algorithm", "no key of ours is for this algorithm and key id" end
  for _, entry in ipairs(fitting) do
    local claims = core.jwt_verify(token, entry.alg, entry.key)
    if claims then return judge(claims, options) end
  end
  return nil, "signature", "none of our keys has signed this"
end

--- The claims of a token that is good now; or nil, a code and a sentence: "missing", "malformed", "algorithm",
-- "signature", "expired", "not_yet", "audience", "issuer".
-- @param options { keys = jwt.keys{...}, aud = whom it must be for (false: any), iss = who must have made it,
--   leeway = seconds, 5 }
function jwt.verify(token, options)
  check_names("jwt.verify", options, { "keys", "aud", "iss", "leeway" })
  check_rules("jwt.verify", options)
  return verify(token, options)
end

local function cookie_named(req, name)
  for pair in (req.headers.cookie or ""):gmatch "[^;]+" do
    local key, value = pair:match "^%s*([^=%s]+)%s*=%s*\"?(.-)\"?%s*$"
    if key == name then return value end
  end
end

local function check_from(what, from)
  if from == nil then return { "header" } end
  if type(from) ~= "table" or next(from) == nil then
    fail.raise("%s: expected such as { \"header\", cookie = \"name\", query = \"name\" }, got %s", what,
      fail.show(from))
  end
  for name, value in pairs(from) do
    local good = (name == 1 and value == "header") or
                 ((name == "cookie" or name == "query") and type(value) == "string")
    if not good then
      fail.raise("%s: expected \"header\", cookie = \"name\" or query = \"name\", got %s", what, fail.show(value))
    end
  end
  return from
end

local function bearer(req, from)
  if from[1] then
    local scheme, token = (req.headers.authorization or ""):match "^(%S+) +(%S+)$"
    if scheme and scheme:lower() == "bearer" then return token end
  end
  return from.cookie and cookie_named(req, from.cookie) or from.query and req.query[from.query] or nil
end

--- The token that a request carries, or nil.
-- @param from where it may stand, the header first: { "header", cookie = "name", query = "name" }; { "header" }
function jwt.bearer(req, from) return bearer(req, check_from("jwt.bearer", from)) end

--- An identity made of a token: for streams, routes and whatever takes one. No token, or one that is not good: no.
-- @param options as for jwt.verify, and from = as for jwt.bearer, user = the claim that names the user ("sub"),
--   data = function(claims) -> plain data
function jwt.identity(options)
  core.declaring "jwt.identity"
  check_names("jwt.identity", options, { "keys", "aud", "iss", "leeway", "from", "user", "data" })
  check_rules("jwt.identity", options)
  local from  = check_from("jwt.identity: 'from'", options.from)
  local claim = options.user or "sub"
  if type(claim) ~= "string" then
    fail.raise("jwt.identity: 'user': expected the name of a claim, got %s", fail.show(claim))
  end
  if options.data ~= nil and type(options.data) ~= "function" then
    fail.raise("jwt.identity: 'data': expected a function(claims), got %s", fail.show(options.data))
  end
  local function run(req)
    local claims, code = verify(bearer(req, from), options)
    local user = claims and claims[claim]
    if claims and (type(user) ~= "string" or user == "") then code = "user" end
    if code then
      log.debug("token refused", { code = code })
      return nil
    end
    local exp = given(claims.exp)
    return { user = user, data = options.data and options.data(claims) or nil,
             expires = exp and math.min(exp + (options.leeway or LEEWAY), LATEST) }
  end
  return { is_identity = true, hook = core.hook(run, "identity " .. core.place(), options.data) }
end

--- A token with these claims, signed: for examples and specs, and for apps that hand out their own.
-- @param key { alg = , key = the secret or the private key's PEM, kid = }
function jwt.sign(claims, key)
  local entry = check_key("jwt.sign", key, "PRIVATE KEY")
  if type(claims) ~= "table" then fail.raise("jwt.sign: expected a table of claims, got %s", fail.show(claims)) end
  return core.jwt_sign(json.encode(claims), entry.alg, entry.key, entry.kid) or
         fail.raise("jwt.sign: this is no key for %s, or these are too many claims", entry.alg)
end

return fail.strict("sluice.jwt", jwt)
