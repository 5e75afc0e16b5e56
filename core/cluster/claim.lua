-- What a node wishes of names, and lets go of. ARGV: "ask" or "free", the node's name, then in milliseconds how
-- long a lease lasts, how long a wish counts that is not said again, and how long the memo of a holder is
-- kept that said nothing more; then the items:
--
--   ask:  name, id, fence, what   what = "wish": would hold it; "hold": holds it with this fence, and wishes it;
--                                 "keep": holds it, and does not wish it
--     answers for each            { "held", fence, others, before, memo }   (memo: nil where there is none; before:
--                                                                            the fence of before, 0: none is known)
--                                 { "renewed", fence, others }
--                                 { "wait", fence, others, ms }             to be asked again in ms at the latest
--                                 { "lost", fence, others, ms }
--   free: name, id, fence, ms     lets go of it, and keeps the memo for ms; "pass": for another that wishes it, and
--                                 wishes it still. Fence 0: the caller does not know whether it holds it
--
-- The id is a number that grows with each question "wish" of a node. What was sent on a connection that is lost may
-- arrive behind what was sent on the next one; by its id it is known for late, and changes nothing that came after it.
--
-- The record of a name is the hash PREFIX:claim:NAME:
--   holder      "NODE:ID" (missing: nobody), as it was granted
--   until       when its lease is over, in this server's milliseconds
--   wishes      "0": the holder itself does not wish it
--   fence       of the last grant; what is done in the name goes with it (publish.lua)
--   epoch       in which it was last granted or renewed
--   memo        written by publish.lua, with the fence; memo_until: when it is forgotten, missing while it is wished
-- and those who wish it are PREFIX:wishes:NAME, nodes by the time until which it counts. PREFIX:fence is the highest
-- fence ever: records go, and this server's clock may be set back, but a fence never falls. All of it
-- expires when nobody asks any more.
--
-- Leases and wishes that seem to last longer than they can are ones that the clock was set back under: the first are
-- cut, the others do not count.

local operation, node              = ARGV[2], ARGV[3]
local lease_ms, wish_ms, kept_ms   = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local DAY_MS = 86400000

local now   = math.floor(now_us / 1000)
local began = math.floor(redis.call("HGET", prefix .. ":epoch", "began") / 1000)

-- Who held what before the epoch began holds it no longer than this, from now on; 0 or less: nobody does.
local fresh_ms = began + lease_ms - now
if fresh_ms > lease_ms then fresh_ms = 0 end

local function read(name)
  local key = prefix .. ":claim:" .. name
  local holder, until_ms, wishes, fence, known =
    unpack(redis.call("HMGET", key, "holder", "until", "wishes", "fence", "epoch"))
  local left = (tonumber(until_ms) or 0) - now
  if left > lease_ms then
    left = lease_ms
    redis.call("HSET", key, "until", digits(now + left))
  end
  return {
    name = name, key = key, wishes = prefix .. ":wishes:" .. name,
    holder = holder, left = holder and left > 0 and left or 0,
    counts = wishes ~= "0", fence = tonumber(fence) or 0, ever = fence and true, known = known == epoch,
  }
end

-- Was it granted to this node, to nothing later than this?
local function is_own(record, id)
  local holder, its = (record.holder or ""):match "^(.*):(%d+)$"
  return holder == node and tonumber(its) <= tonumber(id)
end

-- Does a wish count, by its time in the list of them?
local function counts(until_ms)
  return until_ms and tonumber(until_ms) > now and tonumber(until_ms) <= now + wish_ms
end

-- How many nodes wish it besides this one.
local function others(record)
  local count = redis.call("ZCOUNT", record.wishes, now + 1, now + wish_ms)
  if counts(redis.call("ZSCORE", record.wishes, node)) then count = count - 1 end
  if record.left > 0 and record.counts and record.holder:sub(1, #node) ~= node then count = count + 1 end
  return count
end

-- That it shall ask again, because something is new.
local function tell(receiver, name) redis.call("PUBLISH", prefix .. ":node:" .. receiver, "claim " .. name) end

local function tell_holder(record)
  if record.left > 0 then tell(record.holder:match "^[^:]*", record.name) end
end

local function note_wish(record)
  local before = redis.call("ZSCORE", record.wishes, node)
  redis.call("ZREMRANGEBYSCORE", record.wishes, "-inf", now)
  redis.call("ZADD", record.wishes, digits(now + wish_ms), node)
  redis.call("PEXPIRE", record.wishes, wish_ms)
  if not counts(before) then tell_holder(record) end
end

local function hold(record, id, fence, what)
  redis.call("HSET", record.key, "holder", node .. ":" .. id, "until", digits(now + lease_ms),
    "wishes", what == "keep" and "0" or "1", "fence", digits(fence), "epoch", epoch)
  redis.call("PEXPIRE", record.key, lease_ms + kept_ms)
end

local function renew(record, id, fence, what)
  hold(record, id, fence, what)
  record.left = 0 -- or it is one that the later grant replaces
  return { "renewed", fence, others(record) }
end

-- What the last holder left, and whether there was one, if that is not to be forgotten by now.
local function memo_of(record)
  local memo, until_ms = unpack(redis.call("HMGET", record.key, "memo", "memo_until"))
  redis.call("HDEL", record.key, "memo_until")
  if not until_ms or tonumber(until_ms) > now then return memo, record.ever end
  redis.call("HDEL", record.key, "memo")
  return false, false
end

local function grant(record, id, seen)
  local newest = tonumber(redis.call("GET", prefix .. ":fence") or 0)
  local fence = math.max(now_us, newest + 1, record.fence + 1, seen + 1)
  local memo, ever = memo_of(record)
  redis.call("SET", prefix .. ":fence", digits(fence), "PX", DAY_MS)
  redis.call("ZREM", record.wishes, node)
  hold(record, id, fence, "hold")
  record.left = 0
  return { "held", fence, others(record), (ever or seen > 0) and math.max(record.fence, seen) or 0, memo }
end

local function refuse(record, word)
  local wait = record.left
  if not record.known and fresh_ms > wait then wait = fresh_ms end
  return { word, record.fence, others(record), wait }
end

-- Whose lease is over by this clock, and was given to nobody, has it still. In an epoch that did not see the grant,
-- the higher fence is the later grant.
local function may_renew(record, id, fence)
  if record.holder == node .. ":" .. id and record.fence == fence then return true end
  return fresh_ms > 0 and fence > record.fence
end

local function ask(name, id, fence, what)
  local record = read(name)
  if what ~= "wish" then
    if may_renew(record, id, fence) then return renew(record, id, fence, what) end
    if what == "hold" then note_wish(record) end
    return refuse(record, "lost")
  end
  local is_free = record.left == 0 or is_own(record, id)
  if is_free and (record.known or fresh_ms <= 0) then return grant(record, id, fence) end
  note_wish(record)
  return refuse(record, "wait")
end

-- Another node that wishes it, and not always the same one.
local function heir_of(record, passes)
  local nodes = redis.call("ZRANGEBYSCORE", record.wishes, now + 1, now + wish_ms)
  for at = #nodes, 1, -1 do
    if nodes[at] == node then table.remove(nodes, at) end
  end
  if #nodes == 0 then return passes and node or nil end
  return nodes[now_us % #nodes + 1]
end

local function let_go(record, passes)
  redis.call("HDEL", record.key, "holder", "until")
  record.left = 0
  if passes then note_wish(record) end
end

local function free(name, id, fence, keep)
  local record, passes = read(name), keep == "pass"
  local wished = redis.call("ZREM", record.wishes, node)
  if is_own(record, id) and (fence == 0 or record.fence == fence) then
    let_go(record, passes)
  elseif record.left > 0 then
    if wished == 1 then tell_holder(record) end
    return 0
  end
  local heir = heir_of(record, passes)
  if heir then
    redis.call("PEXPIRE", record.key, kept_ms)
    tell(heir, name)
  elseif record.ever and not passes then
    redis.call("HSET", record.key, "memo_until", digits(now + keep))
    redis.call("PEXPIRE", record.key, math.max(tonumber(keep), lease_ms))
  end
  return 1
end

local run, answer = operation == "ask" and ask or free, {}
for at = 7, #ARGV, 4 do
  answer[#answer + 1] = run(ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3])
end
return answer
