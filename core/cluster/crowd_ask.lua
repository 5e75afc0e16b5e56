-- Who is there. ARGV: the app, "list", "count" or "online", the topic, the user.

local app, what, topic, user = unpack(ARGV, 2, 5)

local there = prefix .. ":crowd:" .. app .. ":there:" .. topic
local now   = math.floor(now_us / 1000)

if what == "list" then return redis.call("ZRANGEBYSCORE", there, "(" .. now, "+inf") end
if what == "count" then return redis.call("ZCOUNT", there, "(" .. now, "+inf") end
local upto = redis.call("ZSCORE", there, user)
return upto and tonumber(upto) > now and 1 or 0
