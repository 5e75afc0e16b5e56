-- What a node has. ARGV behind those of crowd.lua, for each entry:
--   what, topic, user   "here": the node has a subscriber; "gone": none any more; "beat": a page of the user's is
--                       alive, wherever that is
--   before              "1": rules were told online in an earlier epoch
--   grace, left         how long a grace is, and how much of it is left to who is gone; ms
--   beat                for how many ms the last beat counts still; "-": beats do not matter
--   tags                of the user's tabs on the node, ",TAG,TAG,"; of a beat the one tab's, "": of any
-- Answers for each 1 or 0: is the user there, or, does the beat count.

if not is_current() then return { "over" } end

local has = root .. "has:" .. node .. ":" .. session

local function keep_tabs(topic, user, tags)
  redis.call("HSET", root .. "tabs:" .. topic, node .. " " .. user, tags)
  keep(root .. "tabs:" .. topic)
end

local function note_beat(record, beat)
  if beat == "-" then
    record.beat_at = nil
  else
    record.beat_at = math.max(record.beat_at or 0, beat ~= "0" and now + beat or 0)
  end
end

local function here(topic, user, record, beat, tags)
  if redis.call("SADD", has, entry_of(topic, user)) == 1 then record.sessions = record.sessions + 1 end
  keep(has)
  note_beat(record, beat)
  if record.beat_at then keep_tabs(topic, user, tags) end
end

local function gone(topic, user, record, left, beat)
  if redis.call("SREM", has, entry_of(topic, user)) == 1 then record.sessions = record.sessions - 1 end
  note_beat(record, beat)
  if record.beat_at then redis.call("HDEL", root .. "tabs:" .. topic, node .. " " .. user) end
  if record.sessions <= 0 then record.grace_at = math.max(record.grace_at, now + left) end
end

local function has_tab(topic, user, tag)
  if tag == "" then return true end
  for _, owner in ipairs(redis.call("HKEYS", root .. "sessions")) do
    local tags = redis.call("HGET", root .. "tabs:" .. topic, owner .. " " .. user)
    if tags and tags:find("," .. tag .. ",", 1, true) then return true end
  end
  return false
end

-- So the nodes that have the user know it too, and say so in another epoch.
local function pass_on(topic, user)
  for _, owner in ipairs(redis.call("HKEYS", root .. "sessions")) do
    if owner ~= node and redis.call("HEXISTS", root .. "tabs:" .. topic, owner .. " " .. user) == 1 then
      redis.call("PUBLISH", prefix .. ":node:" .. owner, "crowd " .. app .. " " .. entry_of(topic, user))
    end
  end
end

local flags = {}
for at = 7, #ARGV, 8 do
  local what, topic, user, before, grace, left, beat, tags = unpack(ARGV, at, at + 7)
  local record = read(topic, user)
  if what == "beat" then
    local counts = record.known and has_tab(topic, user, tags)
    if counts then
      note_beat(record, beat)
      settle(topic, user, record)
      pass_on(topic, user)
    end
    flags[#flags + 1] = counts and 1 or 0
  else
    record.grace = tonumber(grace)
    if what == "here" then
      here(topic, user, record, beat, tags)
    else
      gone(topic, user, record, left, beat)
    end
    flags[#flags + 1] = settle(topic, user, record, before == "1")
  end
end
return answer(false, flags)
