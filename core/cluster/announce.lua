-- Something is announced to all nodes. ARGV: each announcement: "NODE NAME ...". Each gets a number, names the one
-- before, is published, and stands in a log for an hour, of the newest ones.

local KEPT, HOUR_MS, DAY_MS = 2000, 3600000, 86400000

local log, last = prefix .. ":announced:" .. epoch, prefix .. ":announced:last:" .. epoch
local number    = tonumber(redis.call("GET", last) or 0)

for at = 2, #ARGV do
  local before = digits(number)
  number = math.max(number + 1, now_us)
  local text = digits(number)
  redis.call("XADD", log, "MAXLEN", "~", KEPT, text .. "-0", "p", before, "d", ARGV[at])
  redis.call("PUBLISH", prefix .. ":all", epoch .. " " .. text .. " " .. before .. " " .. ARGV[at])
end
redis.call("PEXPIRE", log, HOUR_MS)
redis.call("SET", last, digits(number), "PX", DAY_MS)
return digits(number)
