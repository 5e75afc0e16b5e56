-- The topics of an app that somebody has or may come back to: those that a node listens to, and those in the table of
-- newest places. ARGV: what their names begin with, "APP:". Answers their names.

local first, found, answer = ARGV[2], {}, {}

local function add(topic)
  if found[topic] or topic:sub(1, #first) ~= first then return end
  found[topic] = true
  answer[#answer + 1] = topic
end

local head = prefix .. ":topic:"
for _, channel in ipairs(redis.call("PUBSUB", "CHANNELS", head:gsub("[%*%?%[%]\\]", "\\%0") .. first .. "*")) do
  if channel:sub(1, #head) == head then add(channel:sub(#head + 1)) end
end
for _, topic in ipairs(redis.call("ZRANGE", prefix .. ":tops:" .. epoch, 0, -1)) do add(topic) end
return answer
