-- A node comes to this server: KEYS[1] the prefix; ARGV: the server's run_id, the name and the secret of a new
-- epoch if one begins, the node's name, for how many milliseconds it counts as alive, and the list of servers
-- that it shares the names out among. Nodes with another list have names elsewhere: they are kept out for as long as
-- one with this list lives.
--
-- An epoch begins where nothing tells of one (the data are new, or were flushed) and where the process is
-- another one than that which the record tells of: what a restart or a failover brought back may be older than
-- what was told already. Nothing below its floor is known of any topic.

local COMMANDS = [[
  DEL EXISTS EXPIRE GET HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HMGET HSET HSETNX LRANGE LTRIM PEXPIRE PTTL PUBLISH
  PUBSUB|CHANNELS RPUSH SADD SET SPOP SRANDMEMBER SREM TIME XADD XRANGE XREVRANGE ZADD ZCARD ZCOUNT ZPOPMIN ZRANGE
  ZRANGEBYSCORE ZREM ZREMRANGEBYSCORE ZREVRANGE ZSCORE]] -- of all scripts here

local prefix, run_id = KEYS[1], ARGV[1]

-- Redis stops a script at the first command that its user may not give, and what it did before that stays done.
for command, sub in COMMANDS:gmatch "(%u+)|?(%u*)" do
  if redis.acl_check_cmd and not redis.acl_check_cmd(command, sub ~= "" and sub or prefix .. ":may") then
    return redis.error_reply(("NOPERM its user may not %s what begins with %s: docs/scale.md says what it needs")
      :format(command, prefix))
  end
end

local time   = redis.call("TIME")
local now_us = time[1] * 1000000 + time[2]

local function digits(number) return string.format("%.0f", number) end

local list = redis.call("GET", prefix .. ":servers")
if list and list ~= ARGV[6] then
  return redis.error_reply("SERVERS other nodes have another list of Redis servers: name the same, or end those nodes")
end
redis.call("SET", prefix .. ":servers", ARGV[6], "PX", ARGV[5])

local key = prefix .. ":epoch"
local id, ran, secret, start = unpack(redis.call("HMGET", key, "id", "run_id", "secret", "start"))
if not id or ran ~= run_id then
  if id then redis.call("EXPIRE", prefix .. ":tops:" .. id, 60) end
  id, secret = ARGV[2], ARGV[3]
  start = redis.call("GET", prefix .. ":order") or "0"
  if tonumber(start) < now_us then start = digits(now_us) end
  redis.call("SET", prefix .. ":order", start)
  redis.call("HSET", key, "id", id, "run_id", run_id, "secret", secret, "began", digits(now_us),
    "start", start, "floor", start)
end
redis.call("ZADD", prefix .. ":nodes", digits(now_us / 1000 + ARGV[5]), ARGV[4])
return { id, secret, start }
