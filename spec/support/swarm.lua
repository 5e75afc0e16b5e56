--- The swarm (spec/swarm): thousands of subscribers, their publishers and their upstream in one program, which holds
-- all that comes against what was sent. `make build/swarm` builds it.
--
--   local swarm = swarms.start { path = "/rooms", streams = 3000, rooms = 60, users = 300, seed = 1 }
--   swarm:node(address)                     -- each node
--   swarm:tell("open", 3000)                -- so many are there from now on
--   swarm:tell("publish", 1000)             -- each room about every 1000 ms; 0: no more
--   swarm:state().open

local cjson  = require "cjson.safe"
local e2e    = require "spec.support.e2e"
local proc   = require "spec.support.proc"
local tcp    = require "spec.support.tcp"
local wait   = require "spec.support.wait"

local swarms = { key = "the-key-of-the-swarm" }

--- What of a state is worth telling.
swarms.words = { "said", "again", "published", "acknowledged", "duplicates", "unanswered", "publishes_refused",
  "publishes_lost", "connects", "refused", "ends", "cuts", "resumed", "not_resumed", "resync_epoch", "resync_history",
  "resync_lagged", "resync_upstream", "resync_other", "events", "links", "links_resumed", "links_cut",
  "overlaps_excused", "reads", "reads_again", "reads_refused" }

local Swarm  = {}
Swarm.__index = Swarm

local PROGRAM = e2e.root .. "/build/swarm"

--- Starts one. `options`: `path` of the stream, `streams`, `rooms`, `users`, `seed`; `linked`: a subscriber's user
-- has an upstream, whose address is `feed`.
function swarms.start(options)
  local at = e2e.folder() .. "/swarm.sock"
  local self = setmetatable({}, Swarm)
  self.process = proc.spawn { PROGRAM, at, options.path, tostring(options.seed or 1), tostring(options.streams),
    tostring(options.rooms), tostring(options.users or 1), options.linked and "1" or "0" }
  self.process:wait_line "^ready"
  self._line = tcp.connect("unix:" .. at)
  self.feed = "http://127.0.0.1:" .. self:tell "port"
  return self
end

--- Has it do something; returns what it says to that.
function Swarm:tell(word, what)
  self._line:send(("%s %s\n"):format(word, what or ""))
  return (self._line:read_until("\n", 10):gsub("\n$", ""))
end

function Swarm:node(address) self:tell("node", address) end
function Swarm:state() return assert(cjson.decode(self:tell "state")) end
function Swarm:users() return assert(cjson.decode(self:tell "users")) end

--- Waits until `count` subscribers are there.
function Swarm:open(count, timeout)
  self:tell("open", count)
  local state
  local ok = pcall(wait.wait_until, function() state = self:state(); return state.open == count end, timeout or 60)
  if not ok then error(("%d of %d subscribers came: %s"):format(state.open, count, cjson.encode(state)), 2) end
end

--- `log`, a list of lines that grows, is told with every fault.
function Swarm:explain_with(log) self._log = log end

local function story(self)
  return ("%s\nfaults so far:\n  %s"):format(self.process:output():sub(1, 6000), table.concat(self._log or {}, "\n  "))
end

--- Raises what it saw that must not be.
function Swarm:check()
  local state = self:state()
  if state.fault_count > 0 then
    error(("the swarm saw %d faults, of them %d holes and %d doubles:\n  %s\n%s"):format(state.fault_count, state.holes,
      state.doubles, table.concat(state.faults, "\n  "),
      story(self)), 2)
  end
  return state
end

--- Publishes no more, but one last time in each room and for each user, and waits until everybody has everything.
function Swarm:finish(timeout)
  self:tell("cuts", 0)
  self:tell("publish", 0)
  self:tell("feed", 0)
  local state
  local function wait_for(condition, what)
    if pcall(wait.wait_until, function() state = self:state(); return condition() end, timeout or 30) then return end
    self:check()
    error(("%s: %s\n%s"):format(what, cjson.encode(state), story(self)), 3)
  end
  wait_for(function() return state.posting == 0 and state.open == state.streams end, "publishes or streams hang")
  self:tell "last"
  wait_for(function() return state.posting == 0 and state.missing == 0 end, "something never came")
  return self:check()
end

return swarms
