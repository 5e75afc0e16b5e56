-- The rig: rule files under a virtual clock and a scripted network, for specs.
--
--   local rig = require "sluice.rig"
--   local world = rig.load "rules/posta.lua"
--   world:reply("GET /api/v1/session", { json = { user = "ann" } })
--   local tab = world:connect "/events"
--
-- The core that runs is the one that serves production, with its VMs, its queues
-- and its time-outs; only time and the network are the spec's. Every call runs it
-- until it is idle.

local core = require "sluice.core"
local json = require "cjson.safe"
local Tab = require "sluice.rig.tab"
local Upstream = require "sluice.rig.upstream"
local commands = require "sluice.rig.commands"
local journal = require "sluice.rig.journal"
local network = require "sluice.rig.network"
local specs = require "sluice.rig.specs"

local rig = {}
local World = {}
World.__index = World

local here = debug.getinfo(1, "S").source:match "^@(.*)sluice/rig%.lua$" or "scripts/"

-- What the config calls the same.
local LIMITS = { "streams_per_address", "connect_rate", "connect_burst", "connect_rate_per_address",
                 "connect_burst_per_address", "route_rate_per_address", "route_burst_per_address",
                 "publish_rate", "publish_burst", "rate_keys" }

--- Loads rule files into a new world.
-- @param files a path or a list of paths, each one app
-- @param options env (table of what sluice.env sees), environ (the process's environment behind it), seed, wall (the
-- time of day at the beginning, in seconds since 1970), streams, streams_per_user, links, link_rate,
-- audience_permits, explain_triggers, explain_decisions, and LIMITS above; what a rule may cost: slice (seconds; 0.5),
-- memory (bytes of an app; 64 MiB), quarantine (kills; 5, 0: never); redis (the url of rules that name none, as the
-- config's; false: there is none), redis_down (true: until world:redis_up), clustered (true: this is one node of
-- several, see world:elsewhere)
-- @return world; raises what a start would have said
function rig.load(files, options)
  options = options or {}
  local settings = {
    scripts = options.scripts or here:gsub("/$", ""),
    seed = options.seed or 1,
    streams = options.streams,
    streams_per_user = options.streams_per_user,
    links = options.links,
    link_rate = options.link_rate,
    audience_permits = options.audience_permits,
    explain_triggers = options.explain_triggers,
    explain_decisions = options.explain_decisions,
    slice_ms = options.slice and options.slice * 1000,
    memory = options.memory,
    quarantine = options.quarantine,
    env = options.env or {},
    environ = options.environ,
    wall_ms = options.wall and math.floor(options.wall * 1000 + 0.5),
    steady = options.steady,
    clustered = options.clustered,
    redis = options.redis == nil and "redis://127.0.0.1:6379" or options.redis or nil,
  }
  for _, name in ipairs(LIMITS) do settings[name] = options[name] end
  local world = setmetatable({
    core = core.world(settings),
    tabs = {},
    journal_entries = {},
    by_client = {},
    topics = {}, -- of triggers, by cursor
    placed = {},
    tab_count = 0,
  }, World)
  world.network = network.new(world.core)
  world.commands = commands.new(world.core)
  world.core:redis_down(options.redis_down)
  specs.made(world)
  for _, file in ipairs(type(files) == "table" and files or { files }) do
    local good, errors = world.core:load(file)
    if not good then
      world.core:close()
      world.closed = true
      error(errors:gsub("\n$", ""), 2)
    end
  end
  rig.last = world
  -- Connected, as a server is before its first request.
  if options.clustered or #world.core:redis_servers() > 0 then world:run() end
  return world
end

--- Loads a rule file again, or another one, as the rules of the app that it names, as a reload of the server does;
-- an app of a new name is added. Given a list, an app that none of its files declares goes.
-- Raises what is wrong; then nothing has changed.
function World:reload(files)
  self:run()
  local good, errors = self.core:reload(files)
  if not good then error(errors:gsub("\n$", ""), 2) end
  return self:run()
end

--- Lets a rule file run in the shadow of the app that it names: called for the same events, compared, and nothing
-- of it delivered; nil: no more. Raises what is wrong.
function World:shadow(file)
  self:run()
  local good, errors = self.core:shadow(file)
  if not good then error(errors:gsub("\n$", ""), 2) end
  return self:run()
end

--- The page that `sluice docs` writes of the app at this index (1) of those that were loaded.
function World:channels(index)
  local page, errors = self.core:channels(index or 1)
  return page or error(errors:gsub("\n$", ""), 2)
end

--- How the shadow does: { events, different, failed, skipped, unsent, differences = { { event, lines }, ... } }.
function World:shadowed() return self.core:shadowed() end

--- Runs the core until it is idle, answering what the spec scripted.
function World:run()
  if self.holding then return self end
  repeat
    self.core:run()
    local answered = self.commands:serve()
  until not self.network:serve() and not answered
  for _, trigger in ipairs(self.core:placed()) do
    trigger.at = trigger.at / 1000 - 1
    self.topics[trigger.cursor], self.topics[trigger.id] = trigger.topic, trigger.topic
    self.placed[#self.placed + 1] = trigger
  end
  for _, client in ipairs(self.core:fresh()) do
    local tab = self.by_client[client]
    if tab then tab:read() end
  end
  return self
end

--- Does all that `run` does in one turn: the core runs when it is done, not after each call in it.
function World:together(run)
  self.holding = true
  local good, fault = pcall(run)
  self.holding = nil
  if not good then error(fault, 0) end
  return self:run()
end

--- One round of the core, for a spec that has to look in between. Was there anything to do?
function World:round() return self.core:round() end

--- Moves the virtual clock on by seconds, through everything that falls due.
function World:advance(seconds)
  self:run()
  local left = math.floor(seconds * 1000 + 0.5)
  while left > 0 do
    left = self.core:advance(left)
    self:run()
  end
  return self:run()
end

--- The virtual time in seconds since the world began.
function World:now() return self.core:now() / 1000 - 1 end

--- What a request gets from now on: { status, json | body, headers } or function(request).
-- For an upstream's request: { status, content_type, retry_after }.
-- @param request "METHOD /path"
function World:reply(request, answer)
  self.network:reply(request, answer)
  return self
end

--- Holds a request until `:answer{…}` of what this returns; see also `.count`.
function World:hold(request) return self.network:hold(request, self) end

--- Fails a request: "timeout" (after its time-out), "refused", "network", "tls", "resolve".
function World:fail(request, code)
  self.network:fail(request, code)
  return self
end

--- All requests that were made so far, oldest first: { method, path, query, headers, body, json }.
-- @param request "METHOD /path", or nil for all
function World:requests(request) return self.network:made(request) end

--- What a Redis command of the rules gets from now on: a text, a number, nil (there is nothing), a list (in which
-- false is nothing), { err = "WRONGTYPE ..." }, or function(words) that returns one of these. Of several that fit,
-- the one with the most words.
-- @param command its first words: "HGET user:ann name", or "HGET" for all of them
function World:redis(command, answer)
  self.commands:reply(command, answer)
  return self
end

--- Holds a command until `:answer(value)` of what this returns; see also `.count`.
function World:redis_hold(command) return self.commands:hold(command, self) end

--- Fails a command: "away", "full", "timeout", "lost".
function World:redis_fail(command, code)
  self.commands:fail(command, code)
  return self
end

--- All commands that were sent so far, oldest first, each a list of words.
-- @param command its first words, or nil for all
function World:redis_commands(command) return self.commands:sent(command) end

--- A message on a channel; data is text, or a table that becomes JSON. Returns how many subscriptions took it.
function World:redis_message(channel, data)
  self:run()
  local taken = self.core:redis_publish(channel, rig.json(data))
  self:run()
  return taken
end

--- All Redis servers go, and commands that wait are lost with them; and come again.
function World:redis_down()
  self:run()
  self.core:redis_down(true)
  return self:run()
end

function World:redis_up()
  self.core:redis_down(false)
  return self:run()
end

--- Of all Redis sources: { messages, failed, gaps, lost }.
function World:redis_counters() return self.core:redis_counters() end

--- In a clustered world: another node holds what this one did (links' keys, Redis sources), or, with false, it does
-- again. With "untold" it was stopped meanwhile, and has not heard of it yet.
function World:elsewhere(away, untold)
  self:run()
  self.core:hold_elsewhere(away, untold ~= "untold")
  return self:run()
end

--- What this node wishes to hold, by name: true where it does.
function World:held() return self.core:held() end

--- The connections to Redis servers: { url, up, channels = names }.
function World:redis_servers() return self.core:redis_servers() end

--- Opens a stream. Options: headers, cookie, tag, query (table), last_event_id, address, listener, trusted, secure,
-- and as = { user =, data = }: what the rule's identity would have said; it is not asked then. as.topics, a list of
-- names, likewise for the topics that it has.
-- @return a tab: .status, :types(), :events(), :post(path, {json=}), :cut(), :stall(), …
function World:connect(path, options)
  self.tab_count = self.tab_count + 1
  local tab = Tab.new(self, path, options or {}, self.tab_count)
  self.tabs[#self.tabs + 1] = tab
  self.by_client[tab.client] = tab
  self:run()
  return tab
end

--- A request that is no stream; options as for connect, with body or json.
-- @return { status, headers, body, json } or nil while it is not answered: then call :result()
function World:request(method, path, options) return Tab.request(self, method, path, options or {}) end

--- Publishes on an ingest: one event { type =, data =, ... } or a list of them, as JSON; or a text, as it is. Options
-- as for request, and key (of sluice.bearer), id (Idempotency-Key).
-- @param path of the ingest
-- @return as request does
function World:publish(path, events, options) return Tab.publish(self, path, events, options or {}) end

--- The upstream connection of this name and key: .open, :send(type, data, {id=}), :cut(), …
function World:upstream(name, key) return Upstream.new(self, name, key) end

--- Every link: { upstream, key, state, leases, last_id }.
function World:links() return self.core:links() end

--- Totals: subscribers, topics, users, emitted, delivered, lagged, streams, links, failures (of rules' calls, since
-- the last reload); and of the process: vms (also those that still end), atoms, blocks of memory.
function World:counters() return self.core:counters() end

--- The log so far as text, and the number of error lines; both begin anew.
function World:log() return self.core:lines() end

--- The triggers so far, in their order: { at, topic, type, data, id, cursor, user, tag, meta }; a told re-reading
-- has the type "resync". `at` in seconds since the world began.
-- @param topic a name, or nil for all
function World:triggers(topic)
  local found = {}
  for _, trigger in ipairs(self.placed) do
    if not topic or trigger.topic == topic then found[#found + 1] = trigger end
  end
  return found
end

--- What tabs received, in order of receipt: a list of { who, what, topic, data, cursor }, or of only the fields that
-- are named: `world:journal("who", "what")`. `assert.same` tells line by line how it differs from what was expected.
function World:journal(...)
  local list = journal.of(self.journal_entries, { ... })
  return list
end

--- What became of the last triggers, as /explain and `sluice explain` say it.
-- @param query { topic =, user =, id =, last = }, at least one of the first three
-- @return { apps = { { app =, triggers = {…}, calls = {…} } } }; or nil and "foreign", "old" or "none" where an
-- id is of another world, older than what is kept, or no trigger's
function World:explain(query)
  self:run()
  local answer, why = self.core:explain(query)
  if not answer then return nil, why end
  return assert(json.decode(answer))
end

--- Begins to drain: streams end with a `retry:` of one second and up to `spread` (0) more, new ones
-- are refused.
function World:drain(spread)
  self.core:drain((spread or 0) * 1000)
  return self:run()
end

--- Drains the node and asserts that nothing is left: no stream, link, task, timer or frame.
function World:close()
  if self.closed then return end
  self.closed = true
  local good, what = self.core:close()
  if not good then error("the world did not end clean: " .. what, 2) end
end

--- Runs a recording through rule files: its clients and upstreams at their times, its answers to what the rules ask.
-- @param path of what `sluice record` wrote
-- @param options rules (a path or a list), and those of rig.load; env has the process's environment behind it
-- @return the world after it: :triggers(), :journal(), :log(); .notes is a list of sentences about what did not fit
function rig.replay(path, options) return require("sluice.rig.replay").run(rig, path, options or {}) end

--- The names of all phases in which rules run, as the core's own messages say them: "a filter", "a route", …
function rig.phases() return core.phases() end

--- Encodes a value as JSON, as answers and events of the rig do.
function rig.json(value) return type(value) == "string" and value or json.encode(value) end

return rig
