--- app:upstream(name, options): an SSE source, one link per key. Returns the handle that takes handlers:
-- `inbox:on(type, function(ev) ... end)`.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

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

local Upstream = {}
Upstream.__index = function(upstream, name)
  return Upstream[name] or fail.raise("the upstream '%s' has no '%s'; handlers are added by :on(type, fn)",
    rawget(upstream, "name"), tostring(name))
end

local function add(self, kind, run)
  if type(kind) ~= "string" or kind == "" or core.breaks_line(kind) then
    return fail.fault("%s:on: expected an event type, got %s", self.name, fail.show(kind))
  end
  if kind:sub(1, 1) == "@" and not LIFE[kind] then
    return fail.fault("%s:on: unknown '%s'%s", self.name, kind, fail.hint(kind, { "@open", "@lost", "@unauthorized" }))
  end
  if self.handlers[kind] then
    return fail.fault("%s:on: '%s' has a handler already, at %s", self.name, kind, self.handlers[kind])
  end
  self.handlers[kind] = core.place()
  core.handler(self.core, kind, core.hook(run, ("%s:on %q"):format(self.name, kind)))
end

--- Declares the handler of an event type, or of a list of them. "*" is any type that has none of its own;
-- "@open", "@lost" and "@unauthorized" are the link's own life.
function Upstream.on(self, kinds, run)
  core.declaring(self.name .. ":on")
  if type(run) ~= "function" then
    return fail.fault("%s:on: expected a function(ev), got %s", self.name, fail.show(run))
  end
  if type(kinds) ~= "table" then kinds = { kinds } end
  if #kinds == 0 then fail.fault("%s:on: expected an event type, got none", self.name) end
  for _, kind in ipairs(kinds) do add(self, kind, run) end
end

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
  app.at_finish(function()
    if next(upstream.handlers) then return end
    core.fault(("%s: %s is never finished: no handler; %s:on(type, function(ev) ... end) adds one"):format(
      place, what, name))
  end)
  return upstream
end
