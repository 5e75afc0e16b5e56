--- Delivers numbers that only rise, one a key: each key has one delivery under way at most, and what is
-- delivered is the highest number only. A failed delivery is tried again with backoff, until its owner has been
-- away for too long.
--
-- Numbers and what is delivered of them stand in the app's store, so that neither a reload forgets an
-- undelivered one nor a repeated event delivers an old one again.
--
--   known ──raise──▶ under way ──delivered──▶ known
--                     ▲     │ failed
--              beat   │     ▼
--                    waiting (backoff) ──owner away too long──▶ known, undelivered

local core = require "sluice.core"

local KEPT       = 30 * 86400  -- a number is remembered for so long after it last rose, seconds
local AWAY_MAX   = 600         -- an owner without a stream is waited for so long
local DEADLINE   = 60          -- of one delivery
local BEAT       = 0.25

local Posting = {}
Posting.__index = Posting

-- What is delivered of a key stands in the store as { owner, name, row, posted }. Around a reload two generations
-- write there, so neither lowers what the other wrote.
local function write(self, item)
  local kept = core.store_get(item.key)
  if kept then
    item.row = math.max(item.row, kept.row)
    if kept.posted then item.posted = math.max(item.posted or kept.posted, kept.posted) end
  end
  local record = { owner = item.owner, name = item.name, row = item.row, posted = item.posted }
  if not core.store_set(item.key, record, KEPT) then
    core.log("warn", "a watermark is not kept: the store is full", { watermark = self.name, user = item.owner })
  end
end

-- What is under way or waits, which a node that drains waits for.
local function set_active(self, key, item)
  local was, is = self.active[key] ~= nil, item ~= nil
  if was ~= is then core.owe(item and 1 or -1) end
  self.active[key] = item
end

local start

local function schedule(self, item)
  item.delay = math.min((item.delay or self.min / 2) * 2, self.max)
  item.due   = core.monotonic() + self.min / 2 + math.random() * item.delay
  self:beat()
end

local function finished(self, item, row, delivered)
  local latch = item.latch
  item.latch = nil
  if delivered then
    item.posted, item.delay, item.due = row, nil, nil
    write(self, item)
    if item.row > row then start(self, item) else set_active(self, item.key, nil) end
  else
    schedule(self, item)
  end
  latch:open()
end

-- One delivery. Whoever waits for it waits for its latch.
function start(self, item)
  local row = item.row
  item.latch, item.due = core.latch(), nil
  local begun = core.background("watermark " .. self.name, DEADLINE,
    function() self.deliver(item.owner, item.name, row, item) end,
    function(delivered) finished(self, item, row, delivered) end, self.hook)
  if not begun then finished(self, item, row, false) end
end

-- Starts what is due; gives up what nobody is there for.
local function beat_once(self)
  local now, waiting = core.monotonic(), false
  for key, item in pairs(self.active) do
    if item.due and core.count(item.owner) == 0 and now - item.raised > AWAY_MAX then
      set_active(self, key, nil)
    elseif item.due and item.due <= now then
      start(self, item)
    end
    waiting = waiting or item.due ~= nil
  end
  return waiting
end

--- Keeps one background task for all that waits.
function Posting:beat()
  if self.beating then return end
  self.beating = core.background("watermark " .. self.name .. " retry", 0, function()
    repeat
      core.sleep(BEAT)
      core.collect()
    until not beat_once(self)
  end, function()
    self.beating = false
    if beat_once(self) then self:beat() end
  end)
end

--- The key's number and how much of it is delivered, or nil.
function Posting:get(owner, name)
  local key = ("%s%d:%s:%s"):format(self.prefix, #owner, owner, name)
  return self.active[key] or core.store_get(key), key
end

--- Raises a key to a number and sees to its delivery. Returns the item while that is not done, nil when it is.
function Posting:raise(owner, name, row)
  local item, key = self:get(owner, name)
  item = item or { owner = owner, name = name, row = row, posted = false }
  item.key = key
  if item.row < row or not item.raised then item.raised = core.monotonic() end
  if item.row < row then item.row = row end
  if item.posted and item.posted >= item.row then return end
  if not self.active[key] then
    set_active(self, key, item)
    write(self, item)
    start(self, item)
  else
    write(self, item)
  end
  return item
end

--- Waits until a number is delivered: true; or a delivery fails, or the time is up: false.
function Posting.wait(_, item, row, seconds)
  local deadline = core.monotonic() + seconds
  while not (item.posted and item.posted >= row) do
    local left = deadline - core.monotonic()
    if not item.latch or left <= 0 then return false end
    item.latch:wait(left)
    core.collect()
  end
  return true
end

-- What an earlier generation left undelivered; what it raised when another was under way here, that one's end sees.
local function resume(self)
  for _, key in ipairs(core.store_keys(self.prefix)) do
    local item = core.store_get(key)
    if item.row ~= item.posted and not self.active[key] then
      item.key, item.raised = key, core.monotonic()
      set_active(self, key, item)
      start(self, item)
    end
  end
end

local posting = {}

--- @param options { name =, prefix = of its keys in the store, min =, max = backoff in seconds,
--   deliver = function(owner, name, row, item), raises if it fails, hook = of the rule's function that it calls }
function posting.new(options)
  local self = setmetatable({ active = {}, beating = false }, Posting)
  for name, value in pairs(options) do self[name] = value end
  core.on_start(function() resume(self) end)
  return self
end

return posting
