-- What the scripts of watermarks begin with, behind epoch.lua. ARGV[2] is the node's name, [3] the app's, [4] the
-- watermark's, [5] a name for the node's rules at hand (a reload gives them another). All of it outlives epochs: what a
-- server remembers of rows is true in the next one, too. Keys, behind PREFIX:watermark:APP:NAME:
--
--   tabs:USER        by session tag: "NODE UNTIL PEER": the node that has its stream, or "-" and until when it
--                    counts without one; the peer whose thread it shows, or nothing
--   who:USER         what was said last of the user: data (JSON), and the node and number of the stream of which it
--                    was said
--   row:SIZE:USER:PEER   SIZE is that of USER
--     row, told      the highest row; and the highest that the app's server knows
--     poster, until  "NODE RULES": who tells it, and until when at most
--     fails, due     how often that failed, and when it is to be tried again
--     raised         when the row last rose; none: nobody has raised it since it stands here, or it was given up
--   pending          SIZE:USER:PEER by when to look at it: all rows that are not told
--   asked:NODE       what of that the node is asked whether it still tells it
--   news:NODE        what others know of the tabs whose streams the node has: user, tag, peer, one behind the other
--
-- Times are this server's milliseconds. A node is dead as the beats have it, and then so are its tabs and posts.
-- Texts of others are put together with "..": this Lua's string.format ends a text at its first NUL.

local DAY_MS, WITHOUT_STREAM_MS, TABS_MAX, POST_MS, LOOK_MS = 86400000, 30000, 64, 65000, 2000

local node, rules = ARGV[2], ARGV[2] .. " " .. ARGV[5]
local base    = ("%s:watermark:%d:%s:%s:"):format(prefix, #ARGV[3], ARGV[3], ARGV[4])
local pending = base .. "pending"
local now_ms  = math.floor(now_us / 1000)

local lives = { [node] = true, ["-"] = false }

local function alive(name)
  if lives[name] == nil then
    lives[name] = tonumber(redis.call("ZSCORE", prefix .. ":nodes", name) or 0) >= now_ms
  end
  return lives[name]
end

-- Does somebody tell the row right now? Not if what is said of it is of a dead node, or of earlier rules of this one.
local function under_way(poster, until_ms)
  if not poster or tonumber(until_ms) <= now_ms then return false end
  local whose = poster:match "^%S+"
  return poster == rules or whose ~= node and alive(whose)
end

local function name_of(user, peer) return #user .. ":" .. user .. ":" .. peer end

-- What still counts of a user's tabs: { [tag] = { holder =, until_ms =, peer = } }; what does not is dropped.
local function read_tabs(user)
  local key, tabs = base .. "tabs:" .. user, {}
  local all = redis.call("HGETALL", key)
  for at = 1, #all, 2 do
    local holder, until_ms, peer = all[at + 1]:match "^(%S+) (%d+) (.*)$"
    if holder == "-" and tonumber(until_ms) > now_ms or alive(holder) then
      tabs[all[at]] = { holder = holder, until_ms = tonumber(until_ms), peer = peer }
    else
      redis.call("HDEL", key, all[at])
    end
  end
  return tabs
end

local function write_tab(user, tag, tab)
  local key = base .. "tabs:" .. user
  if not tab then return redis.call("HDEL", key, tag) end
  redis.call("HSET", key, tag, tab.holder .. " " .. digits(tab.until_ms) .. " " .. tab.peer)
  redis.call("PEXPIRE", key, DAY_MS)
end

-- What a post needs to know of the user: data, and the number of the stream of this node that it was said of.
local function who_of(user)
  local key = base .. "who:" .. user
  local data, whose, number = unpack(redis.call("HMGET", key, "data", "node", "number"))
  if data then redis.call("PEXPIRE", key, DAY_MS) end
  return data or "", whose == node and number or ""
end

-- Before the row can be told, two other nodes know it: those that were heard of last, because who is cut off or stopped
-- falls behind. It is in their sockets before the answer is in the caller's, and stays in their stores (engine/rows.h,
-- scripts/sluice/posting_shared.lua), so that nothing lower is told when this server forgets all and the caller is off.
local OTHERS = 2

local function netstring(text) return #text .. ":" .. text .. "," end

local function tell_others(name, row)
  local letter = "row " .. netstring(ARGV[3])
    .. netstring("\0watermark:" .. ARGV[4] .. ":shared:begun:" .. name) .. netstring(row)
  local left = OTHERS
  for _, other in ipairs(redis.call("ZREVRANGE", prefix .. ":nodes", 0, OTHERS)) do
    if other ~= node and left > 0 then
      left = left - 1
      redis.call("PUBLISH", prefix .. ":node:" .. other, letter)
    end
  end
end

-- It is to be told, and looked at by then. A row that stands here only because a node knew it has not risen before.
local function make_pending(name, when)
  redis.call("HSETNX", base .. "row:" .. name, "raised", digits(now_ms))
  redis.call("ZADD", pending, when, name)
  redis.call("PEXPIRE", pending, DAY_MS * 30)
end

-- This node tells the row from now on. The answer to the caller.
local function begin_post(user, peer, row)
  local name = name_of(user, peer)
  tell_others(name, row)
  redis.call("HSET", base .. "row:" .. name, "poster", rules, "until", digits(now_ms + POST_MS))
  make_pending(name, digits(now_ms + LOOK_MS))
  local data, number = who_of(user)
  return { "post", row, data, number }
end
