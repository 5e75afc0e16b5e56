-- What a node says of stretches (core/hub/told.h): ARGV: the node's name and the app, then for each its user's key, its
-- topic, and from where to where; to "-": it has no end yet; from "": there is nothing any more. Kept for a day.

local DAY_MS = 86400000
local node, app = ARGV[2], ARGV[3]

for at = 4, #ARGV, 4 do
  local user, topic, from, to = unpack(ARGV, at, at + 3)
  local key = table.concat({ prefix, "stretch", epoch, app, #user, user, topic }, ":")
  if from == "" then
    redis.call("HDEL", key, node)
  else
    redis.call("HSET", key, node, from .. " " .. to)
    redis.call("PEXPIRE", key, DAY_MS)
  end
end
return 1
