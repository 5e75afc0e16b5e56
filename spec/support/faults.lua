--- What befalls a cluster, at random times: nodes are killed, stopped, cut off and reloaded, Redis is restarted,
-- stopped, flushed and loses its connections. Kinds are drawn from a shuffled deck, so that each occurs about as
-- often, and mostly one at a time, with calm between; some begin while another lasts, and that is counted, too.
--
--   local faults = fault_lists.new { seed = 1, cluster = cluster, swarm = swarm, kinds = { "kill", "stop" } }
--   faults:turn()      -- again and again
--   faults:calm()      -- everything is whole again
--   faults:report()    -- a sentence; raises where something never occurred

local clusters  = require "spec.support.cluster"
local schedules = require "spec.support.schedules"
local wait      = require "spec.support.wait"

local faults = {}
local Faults = {}
Faults.__index = Faults

local acts = {}

-- Each begins, and returns how long it lasts and what ends it; nil: it cannot be now.

local function well_node(self)
  local well = {}
  for _, node in ipairs(self.cluster.nodes) do
    if clusters.runs(node) and not self.busy[node] then well[#well + 1] = node end
  end
  if #well == 0 or #well == 1 and #self.cluster.nodes > 1 then return nil end
  return well[self.draw(#well)]
end

local function well_redis(self)
  local redis = self.cluster.servers[self.draw(#self.cluster.servers)]
  return not self.busy[redis] and redis
end

local function between(self, from, to) return from + (to - from) * self.draw(1000) / 1000 end

function acts.kill(self)
  local node = well_node(self)
  if not node then return nil end
  if #self.cluster.servers == 0 then self.swarm:tell "epoch" end
  clusters.kill(node)
  return between(self, 0.2, 4), function() clusters.revive(node) end, node
end

local function stop(self, from, to)
  local node = well_node(self)
  if not node then return nil end
  clusters.stop(node)
  return between(self, from, to), function() clusters.continue(node) end, node
end

function acts.stop(self) return stop(self, 0.1, 3) end

-- For longer than a lease, and than a node takes to be counted as dead.
acts["stop long"] = function(self) return stop(self, 7, 12) end

function acts.reload(self)
  local node = well_node(self)
  if not node then return nil end
  clusters.reload(node)
  return 0.5, function() end, node
end

local function cut(self, from, to)
  local node = well_node(self)
  if not node then return nil end
  clusters.cut(node)
  return between(self, from, to), function() clusters.mend(node) end, node
end

-- The node is cut off from Redis, but not from its subscribers, its publishers and its upstreams.
function acts.cut(self) return cut(self, 0.5, 3) end
acts["cut long"] = function(self) return cut(self, 7, 12) end

acts["redis restart"] = function(self)
  local redis = well_redis(self)
  if not redis then return nil end
  self.swarm:tell "epoch"
  if self.draw(2) == 1 then redis:stop() else redis:kill() end
  return between(self, 0.1, 4), function() redis:start() end, redis
end

acts["redis stop"] = function(self)
  local redis = well_redis(self)
  if not redis then return nil end
  redis:pause()
  return between(self, 0.2, 6), function() redis:continue() end, redis
end

acts["redis flush"] = function(self)
  local redis = well_redis(self)
  if not redis then return nil end
  self.swarm:tell "epoch"
  redis:flush()
  return 0.5, function() end, redis
end

acts["redis connections"] = function(self)
  local redis = well_redis(self)
  if not redis then return nil end
  redis:kill_clients(({ "normal", "pubsub", false })[self.draw(3)] or nil)
  return 0.5, function() end, redis
end

faults.of_a_node    = { "kill", "stop", "reload" }
faults.of_servers   = { "kill", "stop", "stop long", "reload", "redis restart", "redis stop", "redis flush",
                        "redis connections" }
faults.of_a_cluster = { "kill", "stop", "stop long", "reload", "cut", "cut long", "redis restart", "redis stop",
                        "redis flush", "redis connections" }

--- `options`: `seed`; `cluster`, `swarm`; `kinds`; `gap`: the least and the most seconds between two beginnings
-- (2, 6).
function faults.new(options)
  local self = setmetatable({
    draw = schedules.generator(options.seed), cluster = options.cluster, swarm = options.swarm, kinds = options.kinds,
    gap = options.gap or { 2, 6 }, deck = {}, lasting = {}, busy = {}, counts = {}, log = {},
  }, Faults)
  for _, kind in ipairs(self.kinds) do self.counts[kind] = 0 end
  if #self.cluster.nodes > 1 then self.counts.overlap = 0 end
  self.next = wait.now() + between(self, unpack(self.gap))
  self.begun = wait.now()
  return self
end

local function shuffle(self)
  for _, kind in ipairs(self.kinds) do table.insert(self.deck, self.draw(#self.deck + 1), kind) end
end

local function tell(self, sentence)
  self.log[#self.log + 1] = ("%.3f %s"):format(wait.now(), sentence)
end

local function begin(self)
  if #self.deck == 0 then shuffle(self) end
  for at = #self.deck, 1, -1 do
    local kind = self.deck[at]
    local seconds, finish, whom = acts[kind](self)
    if seconds then
      table.remove(self.deck, at)
      if #self.lasting > 0 then self.counts.overlap = self.counts.overlap + 1 end
      self.counts[kind] = self.counts[kind] + 1
      self.busy[whom] = true
      table.insert(self.lasting, { kind = kind, at = wait.now() + seconds, finish = finish, whom = whom })
      tell(self, ("%s of %s for %.1f s"):format(kind, whom.number and "node " .. whom.number or "redis", seconds))
      return
    end
  end
end

local function finish(self, before)
  for at = #self.lasting, 1, -1 do
    local one = self.lasting[at]
    if one.at <= before then
      table.remove(self.lasting, at)
      one.finish()
      self.busy[one.whom] = nil
      tell(self, one.kind .. " is over")
    end
  end
end

function Faults:turn()
  local now = wait.now()
  finish(self, now)
  if now < self.next then return end
  begin(self)
  self.next = now + between(self, unpack(self.gap))
end

function Faults:calm() finish(self, math.huge) end

--- What lasts now, by kind.
function Faults:last(kind)
  for _, one in ipairs(self.lasting) do
    if one.kind:find(kind) then return true end
  end
  return false
end

function Faults:report()
  local words, never = {}, {}
  for kind, times in pairs(self.counts) do
    words[#words + 1] = ("%s %d"):format(kind, times)
    if times == 0 then never[#never + 1] = kind end
  end
  table.sort(words)
  assert(#never == 0, "never occurred: " .. table.concat(never, "; "))
  return table.concat(words, ", ")
end

return faults
