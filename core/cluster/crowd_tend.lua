-- What falls to no node in particular, so that each does it when it comes by: sessions of nodes that are dead are
-- over; what sessions that are over had is cleared away, in bounded rounds; and entries whose time has come are
-- looked at. And each keeps what it has itself. ARGV: those of crowd.lua.

if not is_current() then return { "over" } end

local KEEP_AT_ONCE = 20
local more = false

-- In a fresh epoch the others have that long to say that they live.
local function bury()
  if now - redis.call("HGET", prefix .. ":epoch", "began") / 1000 < DEAD_MS then return end
  local sessions = redis.call("HGETALL", root .. "sessions")
  for i = 1, #sessions, 2 do
    local alive = redis.call("ZSCORE", prefix .. ":nodes", sessions[i])
    if not alive or tonumber(alive) <= now then
      redis.call("HDEL", root .. "sessions", sessions[i])
      redis.call("ZADD", root .. "over", digits(now), sessions[i] .. ":" .. sessions[i + 1])
    end
  end
end

local function clear()
  local over = redis.call("ZRANGEBYSCORE", root .. "over", "-inf", digits(now), "LIMIT", 0, 1)[1]
  if not over then return end
  local owner = over:match "^[^:]*"
  inherit(root .. "owed:" .. over, 0)
  for _, entry in ipairs(redis.call("SPOP", root .. "has:" .. over, BATCH)) do
    local topic, user = parts_of(entry)
    local record = read(topic, user)
    record.sessions = record.sessions - 1
    if record.sessions <= 0 then record.grace_at = math.max(record.grace_at, now + record.grace) end
    if redis.call("HGET", root .. "sessions", owner) == false then
      redis.call("HDEL", root .. "tabs:" .. topic, owner .. " " .. user)
    end
    settle(topic, user, record)
  end
  if redis.call("EXISTS", root .. "has:" .. over) == 0 then redis.call("ZREM", root .. "over", over) end
  more = redis.call("ZCOUNT", root .. "over", "-inf", digits(now)) > 0
end

local function look()
  local due = redis.call("ZRANGEBYSCORE", root .. "due", "-inf", digits(now), "LIMIT", 0, BATCH)
  for _, entry in ipairs(due) do
    local topic, user = parts_of(entry)
    settle(topic, user, read(topic, user))
  end
  more = more or #due == BATCH
end

-- Some at a time, whichever: before half a week is over all have had their turn many times.
local function keep_own()
  local has = root .. "has:" .. node .. ":" .. session
  keep(has)
  for _, entry in ipairs(redis.call("SRANDMEMBER", has, KEEP_AT_ONCE)) do
    local topic = parts_of(entry)
    keep(root .. "who:" .. topic)
    keep(root .. "tabs:" .. topic)
    keep(root .. "there:" .. topic)
  end
end

bury()
clear()
look()
keep_own()
return answer(more)
