-- What a node knows of rows, for a server that has forgotten it. ARGV from [6]: how, then user, peer, row, and so on.
--   told    the app's server knows it
--   begun   a node was about to tell it; whether it did, nobody knows. The row is as high as that, so nothing lower is
--           told; by itself it is not told either, but with whatever is raised next

local how = ARGV[6]

for at = 7, #ARGV, 3 do
  local name, said = name_of(ARGV[at], ARGV[at + 1]), ARGV[at + 2]
  local key = base .. "row:" .. name
  local row, told = unpack(redis.call("HMGET", key, "row", "told"))
  if how == "told" and (not told or tonumber(told) < tonumber(said)) then redis.call("HSET", key, "told", said) end
  if not row or tonumber(row) < tonumber(said) then
    redis.call("HSET", key, "row", said)
    if not redis.call("ZSCORE", pending, name) then redis.call("HDEL", key, "raised") end
  end
  redis.call("PEXPIRE", key, DAY_MS * 30)
end
return 1
