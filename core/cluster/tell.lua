-- Says a word about a name to all nodes that wish it (claim.lua), but to its holder, who says it. ARGV: the name, its
-- fence, the word. They get it as a letter, "told WORD NAME".

local name, fence, word = ARGV[2], ARGV[3], ARGV[4]

if redis.call("HGET", prefix .. ":claim:" .. name, "fence") ~= fence then
  return redis.error_reply("FENCED " .. name .. " is not this node's any more")
end
local now   = math.floor(now_us / 1000)
local nodes = redis.call("ZRANGEBYSCORE", prefix .. ":wishes:" .. name, now + 1, "+inf")
for _, node in ipairs(nodes) do redis.call("PUBLISH", prefix .. ":node:" .. node, "told " .. word .. " " .. name) end
return #nodes
