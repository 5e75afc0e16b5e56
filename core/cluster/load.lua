-- What topics have that a node does not know. ARGV: the node, a token, then for each topic its name, how many of the
-- newest triggers it wants at most, and the newest place that it knows (0: none).
--
-- Answers the newest place of all and the time, then for each topic the newest place that it had, what it retains
-- (false: nothing), and the wanted triggers from the newest to the oldest: place, predecessor, parcel. The token
-- comes to the node's mailbox as well: what was published before this answer comes in front of it there, what comes
-- behind it is newer than all that the answer knows.
--
-- The newest place of all is not below that of any topic here, whatever the record of it says: it may have been
-- evicted, or a publish that was refused in its midst came no further than its topic.

local node, token = ARGV[2], ARGV[3]
local tops   = prefix .. ":tops:" .. epoch
local order  = newest()
local answer = { "", digits(now_us) }

for at = 4, #ARGV, 3 do
  local topic, count, since = unpack(ARGV, at, at + 2)
  local last = redis.call("ZSCORE", tops, topic) or floor
  order = math.max(order, tonumber(last))
  local one  = { digits(last), redis.call("GET", prefix .. ":kept:" .. epoch .. ":" .. topic) }
  if count ~= "0" and tonumber(last) > tonumber(since) then
    local stream = prefix .. ":stream:" .. epoch .. ":" .. topic
    for _, entry in ipairs(redis.call("XREVRANGE", stream, "+", "(" .. since, "COUNT", count)) do
      local place = entry[1]:match "^%d+"
      order = math.max(order, tonumber(place))
      one[#one + 1] = place
      one[#one + 1] = entry[2][2]
      one[#one + 1] = entry[2][4]
    end
  end
  answer[#answer + 1] = one
end
answer[1] = digits(order)
redis.call("PUBLISH", prefix .. ":node:" .. node, "loaded " .. token .. " " .. answer[1])
return answer
