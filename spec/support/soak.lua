--- What a subscriber may be shown, and whether that is what it was shown.
--
-- A *room* is a topic whose triggers the publisher numbers from 1: a trigger's data is "TOPIC NUMBER ...". In a closed
-- room each number has the users who may see it, as it was when it was published. A *reader* follows one stream over
-- its cuts and resumes, and raises as soon as something is doubled, out of order, or missing and not told of:
--
--   known      everything permitted up to `last` has come, so the next permitted number must be the next to come
--   not known  (after its start, or a resync that names the room): any number above `last`, but at most `by`,
--              the first that was published after the reader was known to be there
--
-- What a "lagged" resync says that was missed must be what the gaps behind it add up to.

local cjson = require "cjson.safe"

local soak = {}

local Room = {}
Room.__index = Room

--- A room of the topic's name; `closed`: only those may see who are permitted.
function soak.room(topic, closed)
  return setmetatable({ topic = topic, number = 0, may = {}, changed = {}, until_then = {},
                        permitted = closed and {} or nil }, Room)
end

--- From now on the user may see the room's triggers, or may not.
function Room:permit(user, may)
  self.may[user], self.changed[user] = may or nil, self.number
  if may then self.until_then[user] = self.number end
end

--- The number of the next trigger, which is about to be published.
function Room:next()
  self.number = self.number + 1
  if self.permitted then
    local may = {}
    for user, yes in pairs(self.may) do may[user] = yes or nil end
    self.permitted[self.number] = may
  end
  return self.number
end

--- May the user see it? Who was permitted when it was published, or was later: it may come by a replay, which is
-- by the permissions of that day; it may be read here when they are others again.
function Room:may_see(user, number)
  if not self.permitted or self.permitted[number] and self.permitted[number][user] then return true end
  return (self.until_then[user] or 0) >= number
end

--- Must it? Who is permitted, and was all the time since.
function Room:must_see(user, number)
  return not self.permitted or self.may[user] == true and self.changed[user] < number
end

--- How many of the numbers between the two, both left out, the user must see.
function Room:between(user, from, to)
  if not self.permitted then return to - from - 1 end
  local count = 0
  for number = from + 1, to - 1 do
    if self:must_see(user, number) then count = count + 1 end
  end
  return count
end

--- The newest number that the user must see; 0: none.
function Room:newest(user)
  return self:must_see(user, self.number) and self.number or 0
end

local Reader = {}
Reader.__index = Reader

--- @tparam table rooms by topic
-- @tparam table counts what occurred, by name: counted up here
function soak.reader(rooms, user, counts)
  return setmetatable({ rooms = rooms, user = user, counts = counts, places = {}, last_id = nil }, Reader)
end

local function fail(self, format, ...)
  error(("reader %s: "):format(self.user) .. format:format(...), 0)
end

-- From now on whatever comes next of the room is good, if it is not behind what came already.
local function lose(self, topic)
  local place, room = self.places[topic], self.rooms[topic]
  if not place then return end
  place.known, place.by = false, room.number + 1
end

--- It has this topic from now on; who has just connected, or asked for it, knows nothing of what was before.
function Reader:joins(topic)
  self.places[topic] = { last = 0, known = false, by = nil }
end

function Reader:leaves(topic)
  self.places[topic] = nil
  self.lagged, self.left = nil, true -- the next number told may count what it had of this topic
end

--- What it asked for has begun by now: what is published from now on must come. What was published before may be
-- on its way still, from a time when it had the topic before.
function Reader:has(topic)
  lose(self, topic)
  self.places[topic].from = self.rooms[topic].number
end

local function settle_lag(self, topic, missed)
  local lagged = self.lagged
  if not lagged or not lagged.open[topic] then return end
  lagged.open[topic] = nil
  lagged.owed = lagged.owed - missed
  if next(lagged.open) then return end
  self.lagged = nil
  if lagged.owed ~= 0 then fail(self, "a resync told %d missed, %d were", lagged.told, lagged.told - lagged.owed) end
  self.counts.exact = self.counts.exact + 1
end

function Reader:say(data)
  local topic, number = data:match "^(%S+) (%d+) "
  number = tonumber(number)
  local place, room = self.places[topic], self.rooms[topic]
  data = topic .. " " .. number
  if not place then fail(self, "%s, which it does not have", data) end
  if number <= place.last then fail(self, "%s after %d", data, place.last) end
  if not room:may_see(self.user, number) then fail(self, "%s, which it may not see", data) end
  if place.from and number <= place.from then
    place.last = number
    return
  end
  place.from = nil
  if place.known then
    local missing = room:between(self.user, place.last, number)
    if missing > 0 then fail(self, "%s after %d: %d missing and not told", data, place.last, missing) end
  else
    if place.by and room:between(self.user, place.by - 1, number) > 0 then
      fail(self, "%s: it was there from %d on", data, place.by)
    end
    if place.counted then settle_lag(self, topic, room:between(self.user, place.last, number)) end
  end
  place.last, place.known, place.by, place.counted = number, true, nil, nil
  self.counts.said = self.counts.said + 1
end

function Reader:resync(data)
  local told = cjson.decode(data)
  self.counts["resync " .. told.reason] = (self.counts["resync " .. told.reason] or 0) + 1
  local lagged = told.reason == "lagged"
  local exact = lagged and not self.lagged and not self.left
  if lagged then self.left = nil end
  local open = {}
  for _, topic in ipairs(told.topics) do
    local place = self.places[topic]
    if place then
      exact = exact and place.known and not self.rooms[topic].permitted
      open[topic] = true
    elseif self.rooms[topic] then
      exact = false
    end
  end
  self.lagged = nil
  for topic in pairs(open) do
    self.places[topic].counted = exact or nil
    lose(self, topic)
  end
  if exact and next(open) then self.lagged = { owed = told.missed, told = told.missed, open = open } end
end

--- It is connected: `ready` came. Without a cursor, nothing is known of what was before.
function Reader:ready(data)
  local ready = cjson.decode(data)
  self.tag = ready.tag
  if self.last_id then
    self.counts[ready.resumed and "resumed" or "not resumed"] =
      (self.counts[ready.resumed and "resumed" or "not resumed"] or 0) + 1
  else
    for topic in pairs(self.places) do lose(self, topic) end
  end
end

--- One event of the stream, in order.
function Reader:event(event)
  if event.type == "say" then self:say(event.data)
  elseif event.type == "resync" then self:resync(event.data)
  elseif event.type == "ready" then self:ready(event.data)
  else fail(self, "an event '%s', which nobody sent", event.type) end
  if event.id and event.id ~= "" then self.last_id = event.id end
end

--- It was cut: gaps are not counted over that.
function Reader:cut()
  self.lagged = nil
  for _, place in pairs(self.places) do place.counted = nil end
end

--- Has everything come that it may see, or was it told that it will not? Else a topic of which something is missing.
function Reader:missing()
  for topic, place in pairs(self.places) do
    local newest = self.rooms[topic]:newest(self.user)
    local told   = not place.known and place.by and newest < place.by
    if place.last < newest and not told then return topic end
  end
end

return soak
