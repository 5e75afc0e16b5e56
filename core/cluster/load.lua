-- What topics have that a node does not know. ARGV: the node, a token, then for each topic its name, how many of the
-- newest triggers it wants at most, and the newest place that it knows (0: none).
--
-- Answers the newest place of all and the time, then for each topic the newest place that it had, what it retains
-- (false: nothing), and the wanted triggers from the newest to the oldest: place, predecessor, parcel. The token
-- comes to the node's mailbox as well: what was published before this answer comes in front of it there, what comes
-- behind it is newer than all that the answer knows.

local node, token = ARGV[2], ARGV[3]
local tops   = prefix .. ":tops:" .. epoch
local order  = digits(newest())
local answer = { order, digits(now_us) }

for at = 4, #ARGV, 3 do
  local topic, count, since = unpack(ARGV, at, at + 2)
  local last = redis.call("ZSCORE", tops, topic) or floor
  local one  = { digits(last), redis.call("GET", prefix .. ":kept:" .. epoch .. ":" .. topic) }
  if count ~= "0" and tonumber(last) > tonumber(since) then
    local stream = prefix .. ":stream:" .. epoch .. ":" .. topic
    for _, entry in ipairs(redis.call("XREVRANGE", stream, "+", "(" .. since, "COUNT", count)) do
      one[#one + 1] = entry[1]:match "^%d+"
      one[#one + 1] = entry[2][2]
      one[#one + 1] = entry[2][4]
    end
  end
  answer[#answer + 1] = one
end
redis.call("PUBLISH", prefix .. ":node:" .. node, "loaded " .. token .. " " .. order)
return answer
