-- A post has ended. ARGV from [6]: user, peer, row; "told", "failed" or "left" (not begun: for anybody to take); the
-- least and the greatest delay in milliseconds until it is tried again, and a random number from 0 to 1.
-- Answers { "done" }; { "post", row, data, number }: the row has risen meanwhile, and the caller goes on; { "later" }:
-- it is tried again; { "other" }: it is told by somebody else.

local user, peer, posted, how, least, most, random = unpack(ARGV, 6, 12)
local name = name_of(user, peer)
local key  = base .. "row:" .. name
local row, told, poster = unpack(redis.call("HMGET", key, "row", "told", "poster"))

if how == "told" then
  if not told or tonumber(posted) > tonumber(told) then told = posted end
  if not row or tonumber(told) > tonumber(row) then row = told end
  redis.call("HSET", key, "row", row, "told", told)
  redis.call("HDEL", key, "fails", "due")
  redis.call("PEXPIRE", key, DAY_MS * 30)
end
if not row then return { "done" } end
if poster and poster ~= rules then return { "other" } end

local is_told = told and tonumber(told) >= tonumber(row)
if how == "told" and not is_told then return begin_post(user, peer, row) end

redis.call("HDEL", key, "poster", "until")
if is_told then
  redis.call("ZREM", pending, name)
  return { "done" }
end
local delay = 0
if how == "failed" then
  local fails = redis.call("HINCRBY", key, "fails", 1)
  delay = least / 2 + random * math.min(least * 2 ^ math.min(fails - 1, 30), tonumber(most))
end
local due = digits(math.floor(now_ms + delay))
redis.call("HSET", key, "due", due)
make_pending(name, due)
return { "later" }
