--- sluice.watermark: how far a user has read of each peer, told to the app's server. A watermark only rises.
--
--   local read = watermark.new(app, "read", { wait = 0.5, post = function(user, data, peer, row) ... end })
--   read:open(user, tag, peer, row)     a tab shows the peer's thread, up to this row
--   read:advance(user, peer, row)       something new came; read at once where the thread is open
--
-- One tab shows one thread: opening another closes the first, the end of the tab's stream closes all. A tab that
-- has no stream yet counts for 30 seconds. `post` is called for one (user, peer) at a time, with the highest row
-- only; while it fails it is repeated with backoff as long as the user has a stream, and 10 minutes more.
--
-- A node by itself keeps all this in the app's store (opened.lua, posting.lua) and answers at once. Nodes that share a
-- Redis keep it there (watermark_shared.lua): each call suspends until the server has answered.

local core    = require "sluice.core"
local fail    = require "sluice.fail"
local json    = require "sluice.json"
local opened  = require "sluice.opened"
local posting = require "sluice.posting"
local schema  = require "sluice.schema"
local shared  = require "sluice.watermark_shared"

local DATA_KEPT = 86400

local BACKOFF = {
  min = { "seconds", default = 1, min = 0.1, max = 3600 },
  max = { "seconds", default = 30, min = 0.1, max = 3600 },
}

local SHAPE = {
  post    = { "function", required = "a function(user, data, peer, row) that raises when it fails" },
  wait    = { "seconds", default = 0.5, max = 60 },
  backoff = { "options", shape = BACKOFF },
}

local Watermark = {}
Watermark.__index = function(_, name)
  return Watermark[name] or fail.raise("a watermark has no '%s'%s", tostring(name),
    fail.hint(name, { "open", "close", "advance", "row" }))
end
Watermark.__metatable = "watermark"

local parts = setmetatable({}, { __mode = "k" })  -- watermark -> what it is made of

local function check(what, text)
  if type(text) == "string" and text ~= "" and #text <= 1024 then return text end
  fail.raise("%s: expected a text, got %s", what, fail.show(text))
end

local function check_row(what, row)
  if type(row) == "number" and row == row and row ~= math.huge and row ~= -math.huge then return row end
  fail.raise("%s: expected a row, a number, got %s", what, fail.show(row))
end

-- What was said last of a user: by the newest stream, or by a request that came after it.

local function remember(self, user)
  local who, data = core.identity()
  if who ~= user or data == nil then return end
  local _, newest = core.newest_data(user)
  core.store_set(self.prefix .. "who:" .. user, { data = json.copy(data), after = newest or 0 }, DATA_KEPT)
end

local function data_of(self, user)
  local data, newest = core.newest_data(user)
  local said = core.store_get(self.prefix .. "who:" .. user)
  if said and said.after >= (newest or 0) then return said.data end
  return data
end

--- A tab shows this peer's thread, of which `row` is the highest row; posts that row if it is news.
-- @param tag the tab's session tag (req.tag); nil: a client without one, which counts for 30 seconds
function Watermark:open(user, tag, peer, row)
  local self_ = parts[self]
  check("watermark:open: user", user)
  check("watermark:open: peer", peer)
  check_row("watermark:open", row)
  if core.clustered() then return self_.shared:open(user, tag, peer, row) end
  remember(self_, user)
  self_.opened:open(user, tag, peer)
  self_.posting:raise(user, peer, row)
end

--- The tab no longer shows this peer's thread (nil: whatever it shows).
function Watermark:close(user, tag, peer)
  check("watermark:close: user", user)
  local self_ = parts[self]
  if core.clustered() then return self_.shared:close(user, tag, peer) end
  self_.opened:close(user, tag, peer)
end

--- Something new came: if the user has the peer's thread open in some tab, it is read: posts the row and waits
-- for the answer, `wait` seconds at most.
-- @return true: the server knows this row as read; false: not yet; nil: the thread is not open
function Watermark:advance(user, peer, row)
  local self_ = parts[self]
  check("watermark:advance: user", user)
  check("watermark:advance: peer", peer)
  check_row("watermark:advance", row)
  if core.clustered() then return self_.shared:advance(user, peer, row) end
  if not self_.opened:is_open(user, peer) then return nil end
  local item = self_.posting:raise(user, peer, row)
  return not item or self_.posting:wait(item, row, self_.wait)
end

--- The highest row that the user has read of the peer, told to the server or about to be; nil: none.
function Watermark:row(user, peer)
  local self_ = parts[self]
  check("watermark:row: user", user)
  check("watermark:row: peer", peer)
  if core.clustered() then return self_.shared:row(user, peer) end
  local item = self_.posting:get(user, peer)
  return item and item.row
end

local watermark, names = {}, {}

--- Declares one. Its name is what its rows are found under after a reload.
-- @param options { post = function(user, data, peer, row), wait = 0.5, backoff = { min = 1, max = 30 } }; post is
--   given the data of the user's newest stream or request, and raises when it fails
function watermark.new(app, name, options)
  core.declaring "watermark.new"
  if type(app) ~= "table" or getmetatable(app) ~= "app" then
    fail.raise("watermark.new: expected the app first, got %s", fail.show(app))
  end
  local what    = ("watermark.new %s"):format(fail.show(name))
  name          = schema.name("watermark.new", name)
  local checked = schema.check(what, options, SHAPE)
  if names[name] then fail.fault("%s: declared already, at %s", what, names[name]) end
  names[name] = core.place()

  local prefix = ("\0watermark:%s:"):format(name)
  local self_  = { prefix = prefix, wait = checked.wait, opened = opened.new(prefix .. "open:") }
  local hook   = schema.hook(checked.post, "post of watermark " .. tostring(name))
  self_.shared = shared.new {
    name = name, prefix = prefix .. "shared:", wait = checked.wait, hook = hook, deliver = checked.post,
    min = checked.backoff.min, max = checked.backoff.max,
  }
  self_.posting = posting.new {
    name    = name,
    prefix  = prefix .. "row:",
    min     = checked.backoff.min,
    max     = checked.backoff.max,
    hook    = hook,
    deliver = function(user, peer, row, item)
      item.data = data_of(self_, user) or item.data -- for a repetition after the user's last stream has ended
      checked.post(user, item.data, peer, row)
    end,
  }
  local self = setmetatable({}, Watermark)
  parts[self] = self_
  return self
end

return fail.strict("sluice.watermark", watermark)
