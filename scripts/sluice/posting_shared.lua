--- What posting.lua is for one node, for nodes that share a Redis: numbers that only rise, one a (user, peer), each
-- told by one node at a time. Which number, and who tells it, stands on the user's server; so do the repetitions of
-- what failed, and what a node left that died: each node takes what is due (`take`).
--
--   raise ─▶ "post" ─▶ told ─▶ posted: done, or the number has risen: told
--      │                └─ failed ─▶ posted: due later, for whoever looks first
--      └▶ "waits": another node tells it; who wants to know asks again
--
-- What was told from here is kept here, too, and what was begun, here or, as a letter said, on another node: a server
-- that forgot everything is told, and nothing lower goes out.

local core   = require "sluice.core"
local json   = require "sluice.json"
local shared = require "sluice.shared"

local KEPT     = 30 * 86400
local BEGUN    = 86400 -- is kept for so long, as that of others (core/engine/rows.h)
local DEADLINE = 60    -- of one post: below the server's own (POST_MS in core/cluster/watermark.lua)
local SERVED   = 5     -- an answer that is later is of another time: this process was stopped
local LOOK     = 0.01  -- between looks at what another node tells, at first, and
local LOOK_MAX = 0.1   -- later, seconds
local AT_ONCE  = 100   -- of numbers that a server is told again

local Posting = {}
Posting.__index = Posting

local function key_of(user, peer) return ("%d:%s:%s"):format(#user, user, peer) end

-- What is known here to be told, or nil.
local function told(self, key)
  local kept = core.store_get(self.told .. key)
  return kept and kept.row
end

-- The highest row that some node was about to tell, as far as this one knows, or nil. Those of others letters have
-- written: core/cluster/watermark.lua.
local function begun_of(self, key) return core.store_get(self.begun .. key) end

local function higher(one, other) return one and other and math.max(one, other) or one or other end

local function keep(self, item, key, value, seconds)
  if not core.store_set(key, value, seconds) then
    core.log("warn", "a watermark is not kept: the store is full", { watermark = self.name, user = item.user })
  end
end

local function note_begun(self, item)
  keep(self, item, self.begun .. item.key, higher(begun_of(self, item.key), item.row), BEGUN)
end

local function note_told(self, item)
  if item.row >= (begun_of(self, item.key) or item.row) then core.store_delete(self.begun .. item.key) end
  local before = told(self, item.key)
  if before and before >= item.row then return end
  keep(self, item, self.told .. item.key, { user = item.user, peer = item.peer, row = item.row }, KEPT)
end

-- What is under way, which a node that drains waits for; not for a server that is away.
local function set_owed(item, is)
  if item.owed ~= is then core.owe(is and 1 or -1) end
  item.owed = is
end

local function set_active(self, item, is)
  set_owed(item, is)
  if is then self.active[item.key] = item elseif self.active[item.key] == item then self.active[item.key] = nil end
end

-- What waits for it looks at it again.
local function wake(item)
  local latch = item.latch
  item.latch = core.latch()
  latch:open()
end

local start

-- Says how it ended, and goes on with what has risen meanwhile.
local function record(self, item)
  local answer = shared.run("watermark_posted", item.user, self.name, self.rules, item.user, item.peer,
    shared.word(item.row), item.how, shared.word(self.min * 1000), shared.word(self.max * 1000),
    shared.word(math.random()))
  local unheard = not answer and item.how == "told" -- the server finds out of the others by itself
  self.unrecorded[item.key] = unheard and item or nil
  set_owed(item, not unheard)
  if unheard then return end
  if answer and answer[1] == "post" then return start(self, item, answer) end
  set_active(self, item, false)
  item.ended = true
  wake(item)
end

local function ended(self, item, how)
  item.how = how
  if how == "told" then
    item.told = item.row
    note_told(self, item)
  else
    item.failed = true
  end
  wake(item)
  record(self, item)
end

-- The data of the user's newest stream, as it is by now if that is here.
local function data_of(item, data, number)
  local newest, of = core.newest_data(item.user)
  if data == "" or number ~= "" and of and shared.word(of) == number then return newest end
  return (json.decode(data))
end

function start(self, item, answer)
  item.row, item.failed = tonumber(answer[2]), nil
  note_begun(self, item)
  local data = data_of(item, answer[3], answer[4])
  local begun = core.background("watermark " .. self.name, DEADLINE,
    function() self.deliver(item.user, data, item.peer, item.row) end,
    function(delivered) ended(self, item, delivered and "told" or "failed") end, self.hook)
  if not begun then ended(self, item, "left") end
end

-- An answer that makes this node the one that tells it.
local function begin(self, user, peer, answer, asked)
  local key = key_of(user, peer)
  if self.active[key] then return end
  local item = { owed = false, key = key, user = user, peer = peer, row = tonumber(answer[2]), latch = core.latch() }
  set_active(self, item, true)
  if core.monotonic() - asked > SERVED then return ended(self, item, "left") end
  start(self, item, answer)
end

local function ask(self, why, user, peer, row)
  local key = key_of(user, peer)
  local asked, known = core.monotonic(), told(self, key)
  row = row and higher(row, begun_of(self, key))
  local answer, code, sentence = shared.run("watermark_raise", user, self.name, self.rules, why, user, peer,
    row and shared.word(row) or "", known and shared.word(known) or "")
  if answer and answer[1] == "post" then begin(self, user, peer, answer, asked) end
  return answer, code, sentence
end

--- Raises a number: "told": the app's server knows it; "closed", only if `why` is "advance"; "later": it failed, and is
-- tried again; else it is under way. The second result is what is told of it. Or nil, code, sentence: nobody knows.
function Posting:raise(why, user, peer, row)
  local answer, code, sentence = ask(self, why, user, peer, row)
  if answer and answer[1] == "mine" and not self.active[key_of(user, peer)] then
    answer, code, sentence = ask(self, "take", user, peer)
  end
  if not answer then return nil, code, sentence end
  local known = answer[1] ~= "post" and tonumber(answer[2]) or nil
  return known and known >= row and "told" or answer[1], known
end

-- One look at what another node tells, after a pause: one for all that wait for it here, at most `left` seconds.
-- Returns what is told, and whether it failed.
local function look(self, user, peer, row, pause, left)
  local key, now = key_of(user, peer), core.monotonic()
  local looking  = self.looking[key]
  if looking and looking.until_time > now then
    looking.row = math.max(looking.row, row)
    looking.latch:wait(math.min(left, looking.until_time - now)) -- who looks may be killed meanwhile
    core.collect()
    return looking.known, looking.failed
  end
  looking = { row = row, latch = core.latch(), until_time = now + 1 }
  self.looking[key] = looking
  core.sleep(math.min(pause, left))
  core.collect()
  local how, known = self:raise("open", user, peer, looking.row)
  if self.looking[key] == looking then self.looking[key] = nil end
  looking.known, looking.failed = how and known, how == "later" -- nil: nobody knows; the next look may
  looking.latch:open()
  return looking.known, looking.failed
end

--- Waits until a number that is under way is told: true; or it failed, or the time is up: false.
function Posting:await(user, peer, row, seconds)
  local key, deadline, pause = key_of(user, peer), core.monotonic() + seconds, LOOK
  local item = self.active[key]
  while true do
    local left = deadline - core.monotonic()
    if item and item.told and item.told >= row then return true end
    if left <= 0 or item and item.failed then return false end
    if item and not item.ended then
      item.latch:wait(left)
      core.collect()
    else
      local known, failed = look(self, user, peer, row, pause, left)
      if known and known >= row then return true end
      if failed then return false end
      item, pause = self.active[key], math.min(pause * 1.5, LOOK_MAX)
    end
  end
end

--- What a server says is due.
function Posting:take(user, peer)
  if not self.active[key_of(user, peer)] then ask(self, "take", user, peer) end
end

--- Says again what could not be said.
function Posting:settle()
  for _, item in pairs(self.unrecorded) do record(self, item) end
end

--- The highest number, or nil.
function Posting:row(what, user, peer)
  local answer = shared.expect(what, shared.run("watermark_row", user, self.name, self.rules, user, peer))
  local key = key_of(user, peer)
  return higher(tonumber(answer[1]), higher(told(self, key), begun_of(self, key)))
end

-- Says what stands in the store behind a prefix: `read` makes a user, a peer and a row of a key and what is there.
-- Returns whether all was heard.
local function say_all(self, server, how, prefix, read)
  local words, heard = {}, true
  local function say()
    if #words == 0 then return end
    heard = shared.run("watermark_tell", server, self.name, self.rules, how, unpack(words)) ~= nil
    words = {}
  end
  for _, key in ipairs(core.store_keys(prefix)) do
    local user, peer, row = read(key:sub(#prefix + 1), core.store_get(key)) -- nil: it has gone meanwhile
    if row and core.server_of(user) == server then
      words[#words + 1], words[#words + 2], words[#words + 3] = user, peer, shared.word(row)
      if #words >= AT_ONCE * 3 then say() end
      if not heard then return false end
    end
  end
  say()
  return heard
end

local function read_told(_, kept)
  if kept then return kept.user, kept.peer, kept.row end
end

local function read_begun(key, row)
  local size, rest = key:match "^(%d+):(.*)$"
  return rest:sub(1, size), rest:sub(size + 2), row
end

--- Says to a server that began anew what is known here to be told, and to be begun. Returns whether it heard all.
function Posting:register(server)
  return say_all(self, server, "told", self.told, read_told) and say_all(self, server, "begun", self.begun, read_begun)
end

local posting_shared = {}

--- @param options those of watermark_shared.new, and `rules`: a name for the rules at hand
function posting_shared.new(options)
  local self = setmetatable({ active = {}, unrecorded = {}, looking = {} }, Posting)
  for name, value in pairs(options) do self[name] = value end
  self.told, self.begun = options.prefix .. "told:", options.prefix .. "begun:"
  return self
end

return posting_shared
