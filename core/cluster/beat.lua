-- A node is alive: ARGV: its name, for how many milliseconds that counts, the beat's number, which comes back
-- to it the long way, through its mailbox, and its list of servers (enter.lua).

local MONTH_MS = 30 * 86400000
local node, alive_ms, number, list = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
redis.call("ZADD", prefix .. ":nodes", digits(now_us / 1000 + alive_ms), node)
redis.call("ZREMRANGEBYSCORE", prefix .. ":nodes", "-inf", digits(now_us / 1000 - 3600000))
redis.call("SET", prefix .. ":servers", list, "PX", alive_ms, "NX")
if redis.call("GET", prefix .. ":servers") == list then redis.call("PEXPIRE", prefix .. ":servers", alive_ms) end
-- A cluster that was stopped for good leaves nothing. The epoch goes first: without it, nobody misses the rest.
redis.call("PEXPIRE", prefix .. ":epoch", MONTH_MS)
for _, name in ipairs { ":nodes", ":order", ":tops:" .. epoch } do
  redis.call("PEXPIRE", prefix .. name, MONTH_MS + 60000)
end
redis.call("PUBLISH", prefix .. ":node:" .. node, "beat " .. number .. " " .. digits(newest()))
return 1
