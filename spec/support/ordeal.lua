--- An ordeal: a swarm and the nodes that it is played against, under random faults for a while, then in calm until
-- everybody has everything. What is asserted of all ordeals is here; what one of them is about is its spec's.
--
-- CLUSTER_SEEDS says which schedules, CLUSTER_SPREAD_SEEDS which of several Redis servers; CLUSTER_SECONDS how long
-- each, CLUSTER_STREAMS how many subscribers.

local clusters      = require "spec.support.cluster"
local fault_lists   = require "spec.support.faults"
local http          = require "spec.support.http"
local redis_server  = require "spec.support.redis"
local swarms        = require "spec.support.swarm"
local wait          = require "spec.support.wait"

local ordeal = {
  seconds = tonumber(os.getenv "CLUSTER_SECONDS" or 45),
  streams = tonumber(os.getenv "CLUSTER_STREAMS" or 1000),
}

-- What a link brings and who asks while Redis is away, and what the swarm refuses.
local ERRORS = { "triggers were not published", "presence:list: ", "post of watermark read" }
local WAKING = 3 -- seconds in which a node that was stopped closes what is another's by then
-- Seconds in which nodes say again what their tabs show, to a Redis that forgot it; what comes before is not read.
local SAID   = 5
-- Seconds in which all links are back: until nodes are with a Redis that was away, the lease that it waits for where it
-- forgot who held them, and what a busy machine takes.
local LINKED = 5 + 6 + 4
local FOUND  = 10 + 1 + 4 -- seconds in which a node is found to be dead, the grace, and what a busy machine takes

--- Each seed that there is to be a test of, by the environment's variable of that name (CLUSTER_SEEDS).
function ordeal.seeds(name) return (os.getenv(name or "CLUSTER_SEEDS") or "1"):gmatch "%d+" end

-- Two links of one user at a time are no fault while somebody who may hold one is stopped, and until that one has
-- woken and closed it.
local function watch_overlaps(world)
  local now, swarm = wait.now(), world.swarm
  local stopped = world.faults:last "^stop"
  if stopped and not world.excused then
    world.excused = true
    swarm:tell("excuse", 1)
  end
  if stopped or not world.excused then
    world.awake_by = nil
    return
  end
  world.awake_by = world.awake_by or now + WAKING
  local doubled = swarm:state().doubled
  if doubled == 0 then
    world.excused, world.awake_by = nil, nil
    swarm:tell("excuse", 0)
  elseif now > world.awake_by then
    error(("%d links are held by two nodes, %d s after all woke"):format(doubled, WAKING), 0)
  end
end

local function assert_occurred(state, names)
  local never = {}
  for _, what in ipairs(names) do
    if state[what] == 0 then never[#never + 1] = what end
  end
  assert(#never == 0, "never occurred: " .. table.concat(never, ", "))
end

local function tell(world, state)
  local words = {}
  for _, name in ipairs(swarms.words) do
    if state[name] > 0 then words[#words + 1] = ("%s %d"):format(name, state[name]) end
  end
  print(("\nseed %d: %s; %s; cpu %.1f s"):format(world.seed, world.faults:report(), table.concat(words, ", "),
    state.cpu))
end

--- Starts all, for the test: `nodes`, `path`, `seed`; `redis`: how many Redis servers; `linked`,
-- `rooms` (60), `users` (300), `streams`. The rules are spec/fixtures/cluster.lua.
function ordeal.begin(options)
  local world = { seed = tonumber(options.seed), linked = options.linked, users = options.users or 300 }
  local streams = options.streams or ordeal.streams
  world.swarm = swarms.start { path = options.path, streams = streams, rooms = options.rooms or 60,
    users = world.users, seed = options.seed, linked = options.linked }
  world.servers = {}
  for number = 1, options.redis or 0 do world.servers[number] = redis_server.start() end
  world.cluster = clusters.start { nodes = options.nodes, rules = "spec/fixtures/cluster.lua",
    servers = world.servers, errors = ERRORS, conf = "drain_timeout = 5\nhandler_deadline = 30",
    env = { SWARM_KEY = swarms.key, SWARM_FEED = world.swarm.feed } }
  for _, node in ipairs(world.cluster.nodes) do world.swarm:node(node.address) end
  world.cluster:wait_ready()
  world.swarm:open(streams)
  return world
end

local function all_read(world)
  local state
  local function is_read()
    state = world.swarm:state()
    return state.unread == 0
  end
  if pcall(wait.wait_until, is_read, 15) then return world.swarm:check() end
  error(("never told as read: %d users' newest, first: %s"):format(state.unread, state.first_unread), 2)
end

--- Before anything befalls them: every user's events are told as read, each once.
function ordeal.rest(world)
  wait.wait_until(function() return world.swarm:state().linked >= world.users end, 20, "a link for each user")
  world.swarm:tell("feed", 1000)
  wait.wait_until(function() return world.swarm:state().events > 300 end, 20, "300 events")
  world.swarm:finish()
  assert(all_read(world).reads_again == 0, "something was told as read twice, though nothing befell")
end

--- Waits until each node says of who is there what the swarm knows.
function ordeal.agree(world, when)
  local said, wanted = nil, nil
  local function sorted(users)
    table.sort(users)
    return table.concat(users, " ")
  end
  local function agreed()
    wanted = sorted(world.swarm:users())
    for _, node in ipairs(world.cluster.nodes) do
      local answer = clusters.runs(node) and http.get(node.address, "/here")
      said = not answer and wanted or answer.status == 200 and sorted(answer.json()) or answer.body
      if said ~= wanted then return false end
    end
    return true
  end
  if pcall(wait.wait_until, agreed, FOUND) then return end
  error(("%s: there are %s, and a node says %s"):format(when, wanted, said), 2)
end

--- Has it happen, until all is well again. `kinds` of faults; `publish`, `feed`: each room's and user's mean interval
-- in ms; `cut_links`: so many links are cut, now and then; `occur`: what the swarm must have met.
function ordeal.run(world, options)
  local swarm, ends = world.swarm, wait.now() + ordeal.seconds
  world.faults = fault_lists.new { seed = world.seed, cluster = world.cluster, swarm = swarm, kinds = options.kinds }
  swarm:explain_with(world.faults.log)
  swarm:tell("publish", options.publish or 1500)
  swarm:tell("feed", options.feed or 0)
  swarm:tell("cuts", 30)
  swarm:tell("refuse", 20)
  local next_cut = wait.now() + 1
  while wait.now() < ends do
    world.faults:turn()
    if world.linked then watch_overlaps(world) end
    if options.cut_links and wait.now() > next_cut then
      swarm:tell("cut-links", options.cut_links)
      next_cut = wait.now() + 2
    end
    wait.turn(10)
  end
  world.faults:calm()
  while world.excused do
    watch_overlaps(world)
    wait.turn(10)
  end
  if world.linked then
    wait.wait_until(function() return swarm:state().linked == world.users end, LINKED, "a link for each user, again")
    wait.pass(SAID)
  end
  swarm:finish()
  local state = world.linked and all_read(world) or swarm:check()
  ordeal.agree(world, "in the end")
  tell(world, state)
  assert_occurred(state, options.occur)
  return state
end

return ordeal
