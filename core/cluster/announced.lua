-- What was announced behind a number. ARGV: the number; "" of a node that has only come, which gets those of the last
-- minute. Answers the newest number, "lost" where some are not kept any more, else "", the time in microseconds, and of
-- each its number and what was announced.

local MINUTE_US = 60000000

local from   = ARGV[2]
local newest_number = redis.call("GET", prefix .. ":announced:last:" .. epoch) or "0"
local answer = { newest_number, "", digits(now_us) }

local start = from == "" and digits(now_us - MINUTE_US) or "(" .. from .. "-0"
for at, entry in ipairs(redis.call("XRANGE", prefix .. ":announced:" .. epoch, start, "+")) do
  local id, fields = unpack(entry)
  if at == 1 and from ~= "" and fields[2] ~= from then answer[2] = "lost" end
  answer[#answer + 1] = id:match "^%d+"
  answer[#answer + 1] = fields[4]
end
if #answer == 3 and from ~= "" and newest_number ~= from then answer[2] = "lost" end
return answer
