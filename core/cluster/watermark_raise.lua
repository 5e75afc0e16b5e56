-- A row rises. ARGV from [6]: why, user, peer, row, known: the highest that the caller knows to be told, or "".
--   open     a tab was opened
--   advance  something came: only if some tab of the user shows the peer
--   take     a post that failed, if it is due, or whose node died, or that is these rules' and was dropped; row ""
-- A server that began anew is told by each node what it knows: which threads are open, what was told. Before all had
-- the time for it nobody can say that a thread is closed, which is the error FRESH, and nothing is told, or it could be
-- lower than what was: it is due then.
--
-- Answers { "closed" }; { "told", told }; { "waits", told }: another node tells it; { "mine", told }: these rules do;
-- { "later", told }: it failed and is tried again; { "post", row, data, number }: the caller tells it from now on, and
-- says so with watermark_posted. `told`: the highest row that is, or "".

local why, user, peer, raised, known = unpack(ARGV, 6, 10)

local function shown()
  for _, tab in pairs(read_tabs(user)) do
    if tab.peer == peer then return true end
  end
  return false
end

local FRESH_MS = 6000
local fresh_ms = math.floor((redis.call("HGET", prefix .. ":epoch", "began") or 0) / 1000) + FRESH_MS - now_ms

if why == "advance" and not shown() then
  if fresh_ms > 0 then return redis.error_reply("FRESH this server does not know yet which threads are open") end
  return { "closed" }
end

local name = name_of(user, peer)
local key  = base .. "row:" .. name
local row, told, poster, until_ms, due = unpack(redis.call("HMGET", key, "row", "told", "poster", "until", "due"))

-- The higher of two, as the text that it came as; "" and false are lower than any.
local function higher(one, other)
  if not other or other == "" then return one end
  if not one or one == "" or tonumber(other) > tonumber(one) then return other end
  return one
end

local newest = higher(row, raised)
if not newest then return { "told", "" } end
if newest ~= row then
  row = newest
  redis.call("HSET", key, "row", row, "raised", digits(now_ms))
end
local best = higher(told, known)
if best and best ~= told then
  told = best
  redis.call("HSET", key, "told", told, "row", higher(row, told))
end
redis.call("PEXPIRE", key, DAY_MS * 30)
if told and tonumber(told) >= tonumber(row) then
  redis.call("ZREM", pending, name)
  return { "told", told }
end
-- What these rules tell as far as the server knows, and do not: who was to begin it was given up before it could.
local dropped = why == "take" and poster == rules
if not dropped and under_way(poster, until_ms) then return { poster == rules and "mine" or "waits", told or "" } end
if fresh_ms > 0 then
  redis.call("HDEL", key, "poster", "until")
  poster, due = false, digits(now_ms + fresh_ms)
  redis.call("HSET", key, "due", due)
end
if not poster and due and tonumber(due) > now_ms then
  make_pending(name, due)
  return { "later", told or "" }
end
return begin_post(user, peer, row)
