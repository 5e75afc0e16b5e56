-- A node's look, now and then. Answers { epoch, news, due }: news: user, tag, peer, ... of tabs whose streams it has;
-- due: user, peer, ... of rows that somebody must tell: their node died, or the time of a repetition has come; and
-- those that these rules tell for so long that they may have dropped them. Who reads it takes them (watermark_raise).
--
-- A row that has not risen for 10 minutes is given up when its user is without a stream; the next one tells it.

local AWAY_MAX_MS, AT_ONCE = 600000, 50

local news = redis.call("LRANGE", base .. "news:" .. node, 0, 299)
if #news > 0 then redis.call("LTRIM", base .. "news:" .. node, #news, -1) end

local function is_here(user)
  for _, tab in pairs(read_tabs(user)) do
    if tab.holder ~= "-" then return true end
  end
  return false
end

-- Whether a node still tells what it began, it knows best: who finds such a row puts it before that node.
local asked = base .. "asked:"
local names = redis.call("SPOP", asked .. node, AT_ONCE)
for _, name in ipairs(redis.call("ZRANGEBYSCORE", pending, "-inf", digits(now_ms), "LIMIT", 0, AT_ONCE)) do
  names[#names + 1] = name
end

local function ask_holder(poster, name)
  local key = asked .. poster:match "^%S+"
  redis.call("SADD", key, name)
  redis.call("PEXPIRE", key, 60000)
end

local due = {}
for _, name in ipairs(names) do
  local key = base .. "row:" .. name
  local poster, until_ms, raised = unpack(redis.call("HMGET", key, "poster", "until", "raised"))
  local size, rest = name:match "^(%d+):(.*)$"
  local user, peer = rest:sub(1, size), rest:sub(size + 2)
  if poster ~= rules and under_way(poster, until_ms) then
    redis.call("ZADD", pending, digits(now_ms + LOOK_MS), name)
    ask_holder(poster, name)
  elseif not raised or now_ms - raised > AWAY_MAX_MS and not is_here(user) then
    redis.call("ZREM", pending, name)
    redis.call("HDEL", key, "poster", "until", "due", "raised")
  else
    redis.call("ZADD", pending, "XX", digits(now_ms + LOOK_MS), name)
    due[#due + 1], due[#due + 2] = user, peer
  end
end
return { epoch, news, due }
