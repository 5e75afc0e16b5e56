--- A watermark among nodes that share a Redis. What it does for rules is watermark.lua's; here are its parts, and each
-- node's look at what is due, twice a second.

local core    = require "sluice.core"
local opened  = require "sluice.opened_shared"
local posting = require "sluice.posting_shared"
local shared  = require "sluice.shared"

local LOOK       = 0.5
local DEAD       = 8     -- unheard for so long this node may have been taken for dead: cluster.h says 10
local MISSED_MAX = 10000 -- rows that came while Redis was away

local Shared = {}
Shared.__index = Shared

function Shared:open(user, tag, peer, row)
  self.opened:open("watermark:open", user, tag, peer)
  shared.expect("watermark:open", self.posting:raise("open", user, peer, row))
end

function Shared:close(user, tag, peer) self.opened:close("watermark:close", user, tag, peer) end

function Shared:row(user, peer) return self.posting:row("watermark:row", user, peer) end

-- A row that came while Redis was away: whether its thread is open is asked when it is back.
local function miss(self, user, peer, row)
  local key    = ("%d:%s:%s"):format(#user, user, peer)
  local missed = self.missed[key]
  if missed then
    missed.row = math.max(missed.row, row)
  elseif self.missed_count < MISSED_MAX then
    self.missed[key], self.missed_count = { user = user, peer = peer, row = row }, self.missed_count + 1
  end
end

function Shared:advance(user, peer, row)
  local how = self.posting:raise("advance", user, peer, row)
  if not how then
    miss(self, user, peer, row)
    return false
  end
  if how == "closed" then return nil end
  if how == "told" then return true end
  return how ~= "later" and self.posting:await(user, peer, row, self.wait)
end

local function retry_missed(self)
  for key, missed in pairs(self.missed) do
    if not self.posting:raise("advance", missed.user, missed.peer, missed.row) then return end
    self.missed[key], self.missed_count = nil, self.missed_count - 1
  end
end

-- Where this server has forgotten what this node said, or may have, it is said again; if not all is heard, at the next
-- look once more.
local function say_again(self, server, epoch)
  local key, now = self.prefix .. "looked:" .. server, core.monotonic()
  local before   = core.store_get(key)
  if not before or before.epoch ~= epoch or now - before.at > DEAD then
    self.opened:register(server)
    if not self.posting:register(server) then return end
  end
  core.store_set(key, { epoch = epoch, at = now })
end

local function look(self, server)
  local answer = shared.run("watermark_due", server, self.name, self.rules)
  if not answer then return end
  local epoch, news, due = unpack(answer)
  for i = 1, #news, 3 do
    if core.tab_open(news[i], news[i + 1]) then self.opened:note(news[i], news[i + 1], news[i + 2]) end
  end
  say_again(self, server, epoch)
  for i = 1, #due, 2 do self.posting:take(due[i], due[i + 1]) end
end

local function watch(self)
  local servers = core.clustered()
  if not servers or self.watching then return end
  self.watching = core.background("watermark " .. self.name .. " look", 0, function()
    while true do
      for server = 1, servers do look(self, server) end
      self.posting:settle()
      retry_missed(self)
      self.opened:sync()
      core.sleep(LOOK * (0.75 + math.random() / 2))
      core.collect()
    end
  end, function()
    self.watching = false
    core.sleep(LOOK)
    core.collect()
    watch(self)
  end)
end

local watermark_shared = {}

--- @param options { name =, prefix = of its keys in the store, wait = seconds, min =, max = backoff in seconds,
--   deliver = function(user, data, peer, row), raises if it fails, hook = of the rule's function that it calls }
function watermark_shared.new(options)
  local self = setmetatable({ missed = {}, missed_count = 0 }, Shared)
  for name, value in pairs(options) do self[name] = value end
  options.rules = core.token()
  self.rules    = options.rules
  self.opened, self.posting = opened.new(options), posting.new(options)
  core.on_start(function() watch(self) end)
  return self
end

return watermark_shared
