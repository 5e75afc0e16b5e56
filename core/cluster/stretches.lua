-- What nodes say of a user's stretches: ARGV: the app, the user's key, then topics. Answers topic, from and to of
-- each; to "-": it has no end yet.
--
-- A dead node ends none of its own. What its clients have is not behind the newest place of now, so there its stretches
-- end.

local app, user, answer = ARGV[2], ARGV[3], {}

local function is_alive(node)
  return tonumber(redis.call("ZSCORE", prefix .. ":nodes", node) or 0) > now_us / 1000
end

for at = 4, #ARGV do
  local topic = ARGV[at]
  local key   = table.concat({ prefix, "stretch", epoch, app, #user, user, topic }, ":")
  local all   = redis.call("HGETALL", key)
  for i = 1, #all, 2 do
    local node, from, to = all[i], all[i + 1]:match "^(%d+) (.*)$"
    if to == "-" and not is_alive(node) then
      to = digits(newest())
      redis.call("HSET", key, node, from .. " " .. to)
    end
    answer[#answer + 1] = topic
    answer[#answer + 1] = from
    answer[#answer + 1] = to
  end
end
return answer
