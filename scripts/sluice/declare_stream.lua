--- app:stream(name, options): an endpoint on which subscribers connect.

local core     = require "sluice.core"
local described = require "sluice.described"
local fail     = require "sluice.fail"
local schema   = require "sluice.schema"
local watchers = require "sluice.watchers"

local standards = core.standards -- what the config file says

local QUEUE = {
  frames = { "count", default = standards.queue_frames or 256, min = 1, max = 1000000 },
  bytes  = { "count", default = standards.queue_bytes or 1048576, min = 1024, max = 1073741824 },
}

-- What query parameters are called by which a client asks for something.
local QUERY = {
  topic         = { "parameters", default = { "topic" } },
  last_event_id = { "parameters", default = { "last_event_id" } },
}

-- A heartbeat that has a name. Without one: what no client shows its page.
local HEARTBEAT = {
  every  = { "seconds", default = standards.heartbeat or 20, min = 0.1, max = 3600 },
  event  = { "text" },
  data   = { "text", default = "{}" },
  always = { "boolean", default = false },                     -- whatever else flows; else after silence
}

local SHAPE = {
  about           = { "prose" },
  path            = { "text", required = "a path such as \"/events\"" },
  identity        = { "identity" },
  topics          = { "function" },                            -- (req, sub) -> handle, name or list
  upstreams       = { "list", of = "upstream", default = {} },
  connect         = { "function" },                            -- (sub); false refuses
  disconnect      = { "function" },                            -- (sub, reason)
  origins         = { "list", of = "text", default = {} },
  suppress        = { "choice", of = { "server", "client", false }, default = "server" },
  refusal         = { "choice", of = { "status", "retry" }, default = "status" },
  heartbeat       = { "seconds", default = standards.heartbeat or 20, max = 3600, shape = HEARTBEAT },   -- 0: none
  ready           = { "choice", of = { "event", "header" }, default = "event" },
  query           = { "options", shape = QUERY },
  earliest        = { "boolean", default = false },            -- the last event id that asks for all there is
  retry           = { "seconds", default = standards.retry or 2, max = 3600 },    -- what `retry:` says; 0: no line
  stall           = { "seconds", default = standards.stall_timeout or 30, min = 0.1, max = 3600 },
  verdict_timeout = { "seconds", default = standards.verdict_timeout or 2, min = 0.01, max = 60 },
  lifetime        = { "seconds", default = 0, max = 604800 },  -- 0: no end
  replay          = { "count", default = standards.replay_max or 300, min = 0, max = 1000000 },
  topics_max      = { "count", default = 64, min = 1, max = 10000 },
  per_user        = { "count", default = 0, max = 1000000 },   -- of this stream, besides the config's; 0: no bound
  per_address     = { "count", default = 0, max = 1000000 },
  rate            = { "table" },                               -- see schema.rate
  queue           = { "options", shape = QUEUE },
}

return function(app, name, options)
  local what    = ("app:stream %s"):format(fail.show(name))
  name          = schema.name("app:stream", name)
  local checked = schema.check(what, options, SHAPE)
  local beat = checked.heartbeat
  if type(beat) ~= "table" then beat = { every = beat } end
  local rate = schema.endpoint_rate(what, checked.rate, checked.identity)
  described.add("stream", { name = name, options = checked, heartbeat = beat, rate = rate })
  local upstreams = {}
  for i, upstream in ipairs(checked.upstreams) do upstreams[i] = upstream.core end
  local fields = {
    name            = name,
    method          = "GET",
    place           = core.place(),
    path            = checked.path or "/",
    identity        = schema.identity(checked.identity, "stream " .. name),
    topics          = schema.hook(checked.topics, "topics of stream " .. name),
    upstreams       = upstreams,
    origins         = checked.origins,
    suppress        = checked.suppress,
    refusal         = checked.refusal,
    heartbeat        = beat.every,
    heartbeat_event  = beat.event,
    heartbeat_data   = beat.event and beat.data,
    heartbeat_always = beat.always,
    ready           = checked.ready,
    asks_topic      = checked.query.topic,
    asks_cursor     = checked.query.last_event_id,
    earliest        = checked.earliest,
    retry           = checked.retry,
    stall           = checked.stall,
    verdict_timeout = checked.verdict_timeout,
    lifetime        = checked.lifetime,
    replay          = checked.replay,
    topics_max      = checked.topics_max,
    queue_frames    = checked.queue.frames,
    queue_bytes     = checked.queue.bytes,
    per_user        = checked.per_user,
    per_address     = checked.per_address,
  }
  schema.add(fields, rate)
  local stream, why = core.stream(fields)
  if not stream then return fail.fault("%s: 'path': %s", what, why) end
  app.at_finish(function()
    core.stream_hooks(stream,
      watchers.connect(checked.connect, "connect of stream " .. name),
      watchers.disconnect(checked.disconnect, "disconnect of stream " .. name))
  end)
end
