--- sluice.redis: commands to a Redis server. Each call suspends the handler until the answer is there.
--
--   local redis = require "sluice.redis"
--   local db = redis.connect()                -- the config's `redis`; or redis.connect "redis://host:6379/2"
--   local name = db:hget("user:" .. id, "name")
--
-- A server that gives no answer, or says that it is an error, raises, so that a hook that does not care ends in
-- "don't know" and never in "no". db:try returns nil, code, sentence instead.

local app       = require "sluice.app"
local core      = require "sluice.core"
local fail      = require "sluice.fail"
local redis_url = require "sluice.redis_url"

local redis = {}

local WORDS_MAX = 1024

-- The connection is shared by all handlers of the app: what changes it, or waits on it, is for nobody.
local REFUSED = {}
local function refuse(why, ...)
  for _, name in ipairs { ... } do REFUSED[name] = why end
end
refuse("app:redis(name, { channel = ... }) takes messages", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE",
  "PUNSUBSCRIBE", "SUNSUBSCRIBE")
refuse("what belongs together goes into a script: db:eval(script, keys, args)", "MULTI", "EXEC", "DISCARD", "WATCH",
  "UNWATCH")
refuse("the url says which database: redis.connect \"redis://host:6379/2\"", "SELECT")
refuse("the url says who it is: redis.connect \"redis://user:password@host:6379\"", "AUTH")
refuse("it would hold up every other handler; ask again after time.sleep, or let messages come by app:redis",
  "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF")
refuse("the connection is the app's, and stays as it is", "HELLO", "RESET", "QUIT", "MONITOR", "SYNC", "PSYNC",
  "REPLCONF", "ASKING", "READONLY", "READWRITE")
refuse("it ends, stops or changes the server; an operator's tool does that", "SHUTDOWN", "DEBUG", "REPLICAOF",
  "SLAVEOF", "FAILOVER")

local CLIENT = { ID = true, INFO = true, LIST = true, GETNAME = true }

local function check(name, words, count)
  if REFUSED[name] then fail.raise("redis: %s cannot be sent: %s", name, REFUSED[name]) end
  if name == "CLIENT" and not CLIENT[(words[2] or ""):upper()] then
    fail.raise("redis: CLIENT %s cannot be sent: the connection is the app's, and stays as it is", words[2] or "")
  end
  if name ~= "XREAD" and name ~= "XREADGROUP" then return end
  for i = 2, count do
    local word = words[i]:upper()
    if word == "STREAMS" then return end
    if word == "BLOCK" then fail.raise("redis: %s cannot be sent with BLOCK: %s", name, REFUSED.BLPOP) end
  end
end

-- A word as it goes out. Whole numbers are digits, whatever their size.
local function word_of(position, value)
  if type(value) == "string" then return value end
  if type(value) == "number" and value == value and value ~= math.huge and value ~= -math.huge then
    return value % 1 == 0 and math.abs(value) < 2 ^ 63 and ("%.0f"):format(value) or ("%.17g"):format(value)
  end
  fail.raise("redis: word %d of the command is %s, expected a text or a number", position, fail.show(value))
end

local function words_of(name, ...)
  local count = select("#", ...) + 1
  if type(name) ~= "string" or not name:find "^%a[%w_.-]*$" then
    fail.raise("redis: expected a command's name, got %s", fail.show(name))
  end
  if count > WORDS_MAX then fail.raise("redis: a command of %d words; %d at most", count, WORDS_MAX) end
  local words = { name:upper(), ... }
  for i = 2, count do words[i] = word_of(i, words[i]) end
  check(words[1], words, count)
  return words, count
end

local numbers = setmetatable({}, { __mode = "k" }) -- of databases, by handle

local Database = {}

--- Sends a command and waits for its answer.
-- @param name "HGET", then its words: texts and numbers
-- @return a text (a status is one, too), a number, a list, or nil where there is nothing; in a list false stands
-- for nothing, and { err = sentence } for an error. Or nil, code, sentence: "error" (what the server said), "away",
-- "full" (nothing was sent), "timeout", "lost" (nobody knows whether it was done), "too_large"
function Database:try(name, ...)
  local number = numbers[self] or fail.raise "redis: db:try and db:call are called with a colon, not with a dot"
  local words, count = words_of(name, ...)
  if number == 0 then
    return nil, "away", "no command is sent here: rules in the shadow of others, or a check, reach no server"
  end
  core.command(number, unpack(words, 1, count))
  return core.collect()
end

local function answer(name, value, code, sentence)
  if code then fail.raise("redis: %s: %s: %s", name, code, sentence) end
  return value
end

--- The same; raises where it would return a code.
function Database:call(name, ...) return answer(tostring(name):upper(), self:try(name, ...)) end

local loaded = setmetatable({}, { __mode = "k" }) -- by handle: the digests of scripts that were sent

local function digest_of(db, script)
  local digests = loaded[db]
  if not digests then
    digests = {}
    loaded[db] = digests
  end
  digests[script] = digests[script] or db:call("SCRIPT", "LOAD", script)
  return digests[script]
end

local function evaluate(db, script, keys, args)
  local words = {}
  for _, key in ipairs(keys) do words[#words + 1] = key end
  for _, arg in ipairs(args) do words[#words + 1] = arg end
  return db:try("EVALSHA", digest_of(db, script), #keys, unpack(words))
end

--- Runs a script in the server, as one step. Its text is sent once.
-- @param keys a list, KEYS of the script; nil: none
-- @param args a list, ARGV; nil: none
function Database:eval(script, keys, args)
  if type(script) ~= "string" then fail.raise("redis: expected a script, got %s", fail.show(script)) end
  keys, args = keys or {}, args or {}
  if type(keys) ~= "table" or type(args) ~= "table" then
    fail.raise "redis: db:eval(script, keys, args): keys and args are lists"
  end
  local value, code, sentence = evaluate(self, script, keys, args)
  if code == "error" and sentence:find "^NOSCRIPT" then -- the server has begun anew
    loaded[self][script] = nil
    value, code, sentence = evaluate(self, script, keys, args)
  end
  return answer("EVAL", value, code, sentence)
end

local function index(_, name)
  if Database[name] then return Database[name] end
  if type(name) ~= "string" or not name:find "^%l[%l%d]*$" then
    fail.raise("a redis handle has no '%s'; commands are in small letters: db:hget(key, field)", tostring(name))
  end
  return function(self, ...) return Database.call(self, name, ...) end
end

--- A server to send commands to, while the rule file loads. Its connection is shared by all that names the same
-- url in this app, and stays over reloads.
-- @param url nil: the config's first `redis`
function redis.connect(url)
  core.declaring "redis.connect"
  local self, place = setmetatable({}, { __index = index, __metatable = "redis" }), core.place()
  numbers[self] = -1                                     -- of none: what is sent now is refused
  url = redis_url.of("redis.connect", url)
  app.at_finish(function()                               -- then the app has its name
    if not url then return end
    local number, why = core.database(url)               -- 0: no server can be had here
    if not number then core.fault(("%s: redis.connect: %s"):format(place, why)) end
    numbers[self] = number
  end)
  return self
end

return fail.strict("sluice.redis", redis)
