--- Which tab shows what: one thing a tab, by user and session tag. The end of a tab's stream closes what it
-- showed. A tab without a stream (not yet connected) counts for 30 seconds only, then it is forgotten.
--
-- Kept in the app's store, one entry a user, so that a reload does not close threads.

local core     = require "sluice.core"
local watchers = require "sluice.watchers"

local WITHOUT_STREAM, TABS_MAX, KEPT = 30, 64, 86400

local Opened = {}
Opened.__index = Opened

local function key_of(self, user) return self.prefix .. user end

-- What still counts of a user's tabs: { [tag] = { shows =, until_time = } }.
local function read(self, user)
  local tabs, now = core.store_get(key_of(self, user)) or {}, core.now()
  for tag, tab in pairs(tabs) do
    if tab.until_time and tab.until_time <= now then tabs[tag] = nil end
  end
  return tabs
end

local function write(self, user, tabs)
  local key = key_of(self, user)
  if not next(tabs) then return core.store_delete(key) end
  if not core.store_set(key, tabs, KEPT) then
    core.log("warn", "an open thread is not kept: the store is full", { user = user })
  end
end

-- Room for one more: those that go first are those whose time ends first.
local function make_room(tabs)
  local count, first = 0, nil
  for tag, tab in pairs(tabs) do
    count = count + 1
    if not first or (tab.until_time or math.huge) < (tabs[first].until_time or math.huge) then first = tag end
  end
  if count >= TABS_MAX then tabs[first] = nil end
end

--- The tab shows this now, and nothing else.
function Opened:open(user, tag, shows)
  local tabs = read(self, user)
  tag = tag or ""
  if not tabs[tag] then make_room(tabs) end
  local connected = tag ~= "" and core.tab_open(user, tag)
  tabs[tag] = { shows = shows, until_time = not connected and core.now() + WITHOUT_STREAM or nil }
  write(self, user, tabs)
end

--- The tab no longer shows this; nil: whatever it shows.
function Opened:close(user, tag, shows)
  local tabs = read(self, user)
  local tab  = tabs[tag or ""]
  if not tab or (shows and tab.shows ~= shows) then return end
  tabs[tag or ""] = nil
  write(self, user, tabs)
end

--- Is it shown in some tab of the user?
function Opened:is_open(user, shows)
  for tag, tab in pairs(read(self, user)) do
    if tab.shows == shows and (tab.until_time or core.tab_open(user, tag)) then return true end
  end
  return false
end

-- A tab that was waited for has come: what it shows counts as long as its stream lives.
local function connected(self, sub)
  if not sub.user or not sub.tag then return end
  local tabs = core.store_get(key_of(self, sub.user)) and read(self, sub.user)
  local tab  = tabs and tabs[sub.tag]
  if not tab or not tab.until_time then return end
  tab.until_time = nil
  write(self, sub.user, tabs)
end

local function disconnected(self, sub)
  if not sub.user or not sub.tag or core.tab_open(sub.user, sub.tag) then return end
  self:close(sub.user, sub.tag)
end

local opened = {}

--- @param prefix of its keys in the store
function opened.new(prefix)
  local self = setmetatable({ prefix = prefix }, Opened)
  watchers.add(function(sub) connected(self, sub) end, function(sub) disconnected(self, sub) end)
  return self
end

return opened
