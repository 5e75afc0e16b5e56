-- What every script of the cluster begins with. KEYS[1] is the prefix of all names, ARGV[1] the epoch that the
-- caller knows this server by. In another one nothing that the caller knows counts, so nothing is done.
--
-- Numbers of places are whole microseconds since 1970: a double holds them exactly until the year 2255, but
-- tostring() does not write them so.

local prefix, epoch, floor = KEYS[1], unpack(redis.call("HMGET", KEYS[1] .. ":epoch", "id", "floor"))
if epoch ~= ARGV[1] then return redis.error_reply("EPOCH this server is in another one") end

local time   = redis.call("TIME")
local now_us = time[1] * 1000000 + time[2]

local function digits(number) return string.format("%.0f", number) end

-- The newest place that was given.
local function newest() return tonumber(redis.call("GET", prefix .. ":order") or floor) end

