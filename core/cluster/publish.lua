-- Triggers take their places, all of them or none. ARGV:
--   claim, fence, memo       what is done in a claim's name; "", "", "" without one. A memo begins with "+"; with
--                            "" it stays as it is
--   record, hash, ttl, rest  what is remembered for who asks again: its key, the hash of what was asked, for how
--                            many milliseconds, and what else stands in it; key "": nothing
--   then for each trigger    topic, parcel, size and ttl (ms) of the topic's history, and "" or for how many
--                            milliseconds it is retained for newcomers (0: no end); size "-": it is retained only
-- Answers "new" and the places in order; or "again" and the record of who asked before.
--
-- A message is the epoch, the place, its predecessor and the parcel; what is retained only names the newest place of
-- all twice.
--
-- The predecessor of a trigger is the newest place that its topic had; of a topic that the table of newest places
-- does not have, the floor: something that fell out of the table had a place below it at most.

local TOPS, DAY_MS = 100000, 86400000

local claim, fence, memo        = ARGV[2], ARGV[3], ARGV[4]
local record, hash, ttl, rest   = ARGV[5], ARGV[6], ARGV[7], ARGV[8]

if claim ~= "" then
  local key = prefix .. ":claim:" .. claim
  local given, known = unpack(redis.call("HMGET", key, "fence", "epoch"))
  if given ~= fence or known ~= epoch then -- an older record may have come back: who holds it registers first
    return redis.error_reply("FENCED " .. claim .. " is not this node's any more")
  end
  if memo ~= "" then redis.call("HSET", key, "memo", memo:sub(2)) end
end

if record ~= "" then
  record = prefix .. ":record:" .. record
  local before = redis.call("GET", record)
  if before and before:sub(1, 1) ~= "?" then return { "again", before } end
end

local tops   = prefix .. ":tops:" .. epoch
local place  = newest()
local answer = { "new" }

for at = 9, #ARGV, 5 do
  local topic, parcel, size, history_ms, retain = unpack(ARGV, at, at + 4)
  if size ~= "-" then
    place = math.max(place + 1, now_us)
    local text = digits(place)
    local prev = redis.call("ZSCORE", tops, topic)
    if not prev then
      if redis.call("ZCARD", tops) >= TOPS then
        floor = digits(redis.call("ZPOPMIN", tops)[2])
        redis.call("HSET", prefix .. ":epoch", "floor", floor)
      end
      prev = floor
    end
    prev = digits(prev)
    redis.call("ZADD", tops, text, topic)
    if size ~= "0" then
      local stream = prefix .. ":stream:" .. epoch .. ":" .. topic
      redis.call("XADD", stream, "MAXLEN", "~", size, text .. "-0", "p", prev, "d", parcel)
      redis.call("PEXPIRE", stream, history_ms ~= "0" and history_ms or DAY_MS)
    end
    redis.call("PUBLISH", prefix .. ":topic:" .. topic, epoch .. " " .. text .. " " .. prev .. " " .. parcel)
    answer[#answer + 1] = text
  end
  if retain ~= "" then
    local kept = prefix .. ":kept:" .. epoch .. ":" .. topic
    redis.call("SET", kept, digits(place) .. " " .. parcel)
    redis.call("PEXPIRE", kept, retain ~= "0" and retain or DAY_MS * 7)
    if size == "-" then
      local twice = digits(place) .. " " .. digits(place)
      redis.call("PUBLISH", prefix .. ":topic:" .. topic, epoch .. " " .. twice .. " " .. parcel)
    end
  end
end
redis.call("SET", prefix .. ":order", digits(place), "KEEPTTL")

if record ~= "" then
  redis.call("SET", record, hash .. " " .. table.concat(answer, ",", 2) .. " " .. rest, "PX", ttl)
end
return answer
