-- What a node knows to be told, for a server that has forgotten it. ARGV from [6]: user, peer, row, and so on.

for at = 6, #ARGV, 3 do
  local key = base .. "row:" .. name_of(ARGV[at], ARGV[at + 1])
  local row, told = unpack(redis.call("HMGET", key, "row", "told"))
  local known = tonumber(ARGV[at + 2])
  if not told or tonumber(told) < known then redis.call("HSET", key, "told", ARGV[at + 2]) end
  if not row or tonumber(row) < known then redis.call("HSET", key, "row", ARGV[at + 2]) end
  redis.call("PEXPIRE", key, DAY_MS * 30)
end
return 1
