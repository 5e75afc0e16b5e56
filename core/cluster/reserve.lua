-- A record that a node is about to write (publish.lua). ARGV: its key, the hash of what is asked, the node, and for
-- how many milliseconds it may take until it is written: 0 gives the record back.
--
-- Answers "mine": nobody else does it meanwhile, unless that time passes or this node dies; "waits": another node
-- does something under this key now, and may yet give it back; or "again" and the record. Until it is written it is
-- "?HASH NODE".
--
-- A reservation only spares work that would be in vain: who publishes under a record that is there publishes nothing.

local record, hash, node, ttl = prefix .. ":record:" .. ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local own    = "?" .. hash .. " " .. node
local before = redis.call("GET", record)

if ttl == "0" then
  if before == own then redis.call("DEL", record) end
  return { "free" }
end
if before and before:sub(1, 1) ~= "?" then return { "again", before } end
if before and before ~= own then
  local owner = before:match "^%?%S* (.*)$"
  local alive = redis.call("ZSCORE", prefix .. ":nodes", owner)
  if owner ~= node and alive and tonumber(alive) > now_us / 1000 then
    return { "waits" }
  end
end
redis.call("SET", record, own, "PX", ttl)
return { "mine" }
