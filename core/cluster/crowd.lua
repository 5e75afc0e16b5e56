-- What the scripts of the crowd begin with, behind epoch.lua: which users an app's topics have, over all nodes. ARGV:
-- the app, the node, its session, the number of this call in the session, and the newest call of it whose answer
-- the node has.
--
-- A node registers what it has in a session; it begins a new one whenever it comes to the server, and registers
-- everything again. So what is left of earlier sessions can be cleared away, as what dead nodes left is, and
-- what arrives late of a lost connection belongs to a session that is over. All keys begin with PREFIX:crowd:APP:
--   sessions        hash: node -> the number of its session
--   over            zset: sessions ("NODE:NUMBER") that are to be cleared away, by the time from which on
--   has:SESSION     set: the entries (a user on a topic) that the session registered
--   owed:SESSION    hash: call -> changes that the call was answered, as long as it is not known that they arrived
--   who:TOPIC       hash: user -> "SESSIONS GRACE_AT BEAT_AT GRACE": in how many sessions the user is, when the grace
--                   is over if in none, until when the last beat counts ("-": beats do not matter), how long a
--                   grace is
--   tabs:TOPIC      hash: "NODE USER" -> ",TAG,TAG,", where beats matter
--   there:TOPIC     zset: users that rules were told are online, by the time until which they are there
--   due             zset: entries whose time comes, by that time
--   heirs           until when nobody is told to be offline: in a fresh epoch of nodes that lived in an earlier one,
--                   until all that live have registered what they have
--
-- A change is handed to the node whose call brought it about.
--
-- No key lives for ever: what is written to, or is tended, lives for a week from then on, so that a cluster that
-- was stopped for good leaves nothing.

local app, node, session, call, seen = unpack(ARGV, 2, 6)

local root     = prefix .. ":crowd:" .. app .. ":"
local FOREVER  = 9e15
local BATCH    = 100
local DEAD_MS  = 10000 -- CLUSTER_DEAD_MS
local WEEK_MS  = 7 * 86400000
local now      = math.floor(now_us / 1000)
local changes  = {}

-- It is written again only when half of its time is over.
local function keep(key)
  if redis.call("PTTL", key) < WEEK_MS / 2 then redis.call("PEXPIRE", key, WEEK_MS) end
end

local function entry_of(topic, user) return #topic .. ":" .. topic .. user end

local function parts_of(entry)
  local size, rest = entry:match "^(%d+):(.*)$"
  return rest:sub(1, size), rest:sub(size + 1)
end

local function change(topic, user, status)
  changes[#changes + 1], changes[#changes + 2], changes[#changes + 3] = topic, user, status
end

local function owed_of(number) return root .. "owed:" .. node .. ":" .. number end

-- Is this the session that the node is in? If so, what arrived is not owed any more, and the node lives.
local function is_current()
  if redis.call("HGET", root .. "sessions", node) ~= session then return false end
  redis.call("ZADD", prefix .. ":nodes", digits(now + DEAD_MS), node)
  for _, number in ipairs(redis.call("HKEYS", owed_of(session))) do
    if tonumber(number) <= tonumber(seen) then redis.call("HDEL", owed_of(session), number) end
  end
  return true
end

-- Of a session that is over, what may not have arrived is handed on.
local function inherit(owed, arrived)
  local numbers = redis.call("HKEYS", owed)
  table.sort(numbers, function(a, b) return tonumber(a) < tonumber(b) end)
  for _, number in ipairs(numbers) do
    if tonumber(number) > tonumber(arrived) then
      for _, part in ipairs(cmsgpack.unpack(redis.call("HGET", owed, number))) do changes[#changes + 1] = part end
    end
  end
  redis.call("DEL", owed)
end

local function read(topic, user)
  local text = redis.call("HGET", root .. "who:" .. topic, user)
  local sessions, grace_at, beat_at, grace = (text or "0 0 - 0"):match "^(%S+) (%S+) (%S+) (%S+)$"
  return {
    sessions = tonumber(sessions), grace_at = tonumber(grace_at), grace = tonumber(grace), known = text and true,
    beat_at = tonumber(beat_at), -- nil: beats do not matter
  }
end

local function write(topic, user, record, is_kept)
  local key = root .. "who:" .. topic
  if record.sessions <= 0 and not is_kept then return redis.call("HDEL", key, user) end
  redis.call("HSET", key, user, ("%.0f %.0f %s %.0f"):format(math.max(record.sessions, 0), record.grace_at,
    record.beat_at and digits(record.beat_at) or "-", record.grace))
  keep(key)
end

-- For how long nobody is told to be offline yet. More than it can be: the clock was set back.
local function heirs_wait()
  local wait = tonumber(redis.call("GET", root .. "heirs") or 0) - now
  return wait > 0 and wait <= DEAD_MS and wait or 0
end

-- After anything that may change whether the user is there. `before`: rules were told online in an earlier epoch.
-- Returns whether the user is there.
local function settle(topic, user, record, before)
  local key, entry = root .. "there:" .. topic, entry_of(topic, user)
  local was   = redis.call("ZSCORE", key, user) or before
  local upto  = math.min(record.sessions > 0 and FOREVER or record.grace_at, record.beat_at or FOREVER)
  local there = upto > now
  local due   = upto
  if not there and was then
    local wait = heirs_wait()
    due = wait > 0 and now + wait + 1 or FOREVER
    if wait == 0 then
      was = false
      redis.call("ZREM", key, user)
      change(topic, user, "offline")
    end
  elseif there and not was then
    change(topic, user, "online")
  end
  local is_kept = there or was
  if is_kept then
    redis.call("ZADD", key, digits(upto), user)
    keep(key)
  end
  if is_kept and due < FOREVER then
    redis.call("ZADD", root .. "due", digits(due), entry)
  else
    redis.call("ZREM", root .. "due", entry)
  end
  write(topic, user, record, is_kept)
  return there and 1 or 0
end

-- The answer: in how many milliseconds the next entry is due (-1: none), is there more to do at once, the changes, and
-- what else there is.
local function answer(more, rest)
  if #changes > 0 then redis.call("HSET", owed_of(session), call, cmsgpack.pack(changes)) end
  for _, key in ipairs { root .. "sessions", root .. "over", root .. "due", owed_of(session) } do keep(key) end
  local first = redis.call("ZRANGE", root .. "due", 0, 0, "WITHSCORES")
  local due   = first[2] and math.max(0, math.min(first[2] - now, 3600000)) or -1
  return { "ok", due, more and 1 or 0, changes, rest or {} }
end
