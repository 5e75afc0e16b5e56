--- app:upstream(name, options): an SSE source, one link per key. Returns the handle that takes handlers:
-- `inbox:on(type, function(ev) ... end)`.

local core     = require "sluice.core"
local fail     = require "sluice.fail"
local handlers = require "sluice.handlers"
local schema   = require "sluice.schema"

local BACKOFF = {
  min = { "seconds", default = 1, min = 0.01, max = 3600 },
  max = { "seconds", default = 30, min = 0.01, max = 86400 },
}

local SHAPE = {
  key             = { "function", required = "a function(sub) that returns a text" },
  request         = { "function", required = "a function(key, data) that returns { url = ..., headers = ... }" },
  topic           = { "topic" },
  grace           = { "seconds", default = 10, max = 86400 },
  idle            = { "seconds", default = 90, min = 0.1, max = 86400 },
  connect_timeout = { "seconds", default = 10, min = 0.1, max = 3600 },
  event_limit     = { "count", default = 1048576, min = 1024, max = 67108864 },  -- bytes of one event
  queue           = { "count", default = 256, min = 1, max = 100000 },           -- events that wait
  resume          = { "choice", of = { "resync", "trust" }, default = "resync" },
  backoff         = { "options", shape = BACKOFF },
}

local LIFE = { ["@open"] = true, ["@lost"] = true, ["@unauthorized"] = true }

local Upstream = handlers.class("upstream", LIFE, core.handler)

return function(app, name, options)
  local what    = ("app:upstream %s"):format(fail.show(name))
  name          = schema.name("app:upstream", name)
  local checked = schema.check(what, options, SHAPE)
  local place   = core.place()
  if checked.backoff.min > checked.backoff.max then
    fail.fault("%s.backoff: min is above max", what)
  end
  local upstream = setmetatable({ name = name, is_upstream = true, handlers = {} }, Upstream)
  upstream.core  = core.upstream {
    name            = name,
    place           = place,
    key             = schema.hook(checked.key, "key of upstream " .. name),
    request         = schema.hook(checked.request, "request of upstream " .. name),
    topic           = checked.topic,
    grace           = checked.grace,
    idle            = checked.idle,
    connect_timeout = checked.connect_timeout,
    event_limit     = checked.event_limit,
    queue           = checked.queue,
    resume          = checked.resume,
    backoff_min     = checked.backoff.min,
    backoff_max     = checked.backoff.max,
  }
  handlers.expect(app, upstream, what, place)
  return upstream
end
