--- What opened.lua is for one node, for nodes that share a Redis: which tab shows what. A tab's stream is on one node,
-- its requests come to any.
--
-- The server knows all; a node tells it of its own streams (`sync`), in the background and until it is told, because a
-- tab that has ended unheard would show its thread for ever. What the tabs here show is kept here, too, for a
-- server that forgot everything.

local core     = require "sluice.core"
local shared   = require "sluice.shared"
local watchers = require "sluice.watchers"

local KEPT = 30 * 86400

local Opened = {}
Opened.__index = Opened

local function keep(what, key, value)
  if not core.store_set(key, value, KEPT) then
    core.log("warn", "what tabs show is not kept: the store is full", { what = what })
  end
end

local function name_of(user, tag) return ("%d:%s:%s"):format(#user, user, tag) end

--- What a tab with a stream here shows, or "".
function Opened:note(user, tag, shows)
  local key = self.shown .. name_of(user, tag)
  if shows == "" then core.store_delete(key) else keep("shown", key, shows) end
end

local function run(self, what, user, tag, shows, ...)
  return shared.run("watermark_tab", user, self.name, self.rules, what, user, tag, shows, ...)
end

--- The tab shows this now, and nothing else.
function Opened:open(what, user, tag, shows)
  local here = tag and core.tab_open(user, tag)
  local data, number = shared.said_of(user)
  shared.expect(what, run(self, "open", user, tag or "", shows, data, number, here and "here" or ""))
  if here then self:note(user, tag, shows) end
end

--- The tab no longer shows this; nil: whatever it shows.
function Opened:close(what, user, tag, shows)
  local now = shared.expect(what, run(self, "close", user, tag or "", shows or "", "", "", ""))
  if tag and core.tab_open(user, tag) then self:note(user, tag, now[1]) end
end

-- Says of one tab whether its stream is here. `said`: the stream has just begun, and what it says of the user is news.
local function sync_one(self, user, tag, said)
  local here = core.tab_open(user, tag)
  local key  = self.shown .. name_of(user, tag)
  local data, number = "", ""
  if here and said then data, number = shared.newest_of(user) end
  local answer = run(self, here and "connect" or "disconnect", user, tag, here and core.store_get(key) or "", data,
    number, "")
  if answer then self:note(user, tag, core.tab_open(user, tag) and answer[1] or "") end
  return answer
end

--- Says all that is to be said of tabs here; what could not be said stays.
function Opened:sync()
  for _, key in ipairs(core.store_keys(self.touched)) do
    local touch = core.store_get(key)
    if touch and sync_one(self, touch.user, touch.tag, touch.said) then
      local since = core.store_get(key)
      if since and since.at == touch.at then core.store_delete(key) end
    elseif touch then
      return
    end
  end
end

-- Its stream has begun or ended.
local function touch(self, user, tag, said)
  keep("touched", self.touched .. name_of(user, tag), { user = user, tag = tag, said = said, at = core.token() })
  self.news = true
end

local function start_sync(self)
  if self.syncing then return end
  self.syncing = core.background(self.what, 0, function()
    while self.news do
      self.news = false
      self:sync()
    end
  end, function() self.syncing = false end)
end

--- All tabs here are to be said again to this server: it forgot them, or took this node for dead.
function Opened:register(server)
  for _, sub in ipairs(core.subscribers()) do
    local user, tag = sub.user, sub.tag
    if user and tag and core.server_of(user) == server then touch(self, user, tag, false) end
  end
  start_sync(self)
end

local opened_shared = {}

--- @param options { name = of the watermark, rules = of these rules, prefix = of its keys in the store }
function opened_shared.new(options)
  local self = setmetatable({
    name = options.name, rules = options.rules, what = "tabs of watermark " .. options.name,
    shown = options.prefix .. "shown:", touched = options.prefix .. "touched:",
  }, Opened)
  local function changed(sub, said)
    if not core.clustered() or not sub.user or not sub.tag then return end
    touch(self, sub.user, sub.tag, said)
    start_sync(self)
  end
  watchers.add(function(sub) changed(sub, true) end, function(sub) changed(sub, false) end)
  return self
end

return opened_shared
