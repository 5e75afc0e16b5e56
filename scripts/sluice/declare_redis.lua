--- app:redis(name, options): messages that others publish on a channel of a Redis server, or on all that a pattern
-- takes. Returns the handle that takes their handler: `bus:on("message", function(ev) ... end)`.

local core      = require "sluice.core"
local fail      = require "sluice.fail"
local handlers  = require "sluice.handlers"
local redis_url = require "sluice.redis_url"
local schema    = require "sluice.schema"

local SHAPE = {
  url     = { "text" },
  channel = { "text" },
  pattern = { "text" },                                                        -- as PSUBSCRIBE has them
  topics  = { "topics" },                                                      -- whom a gap concerns; nil: all
  queue   = { "count", default = 1024, min = 1, max = 100000 },                -- messages that wait
}

local Source = handlers.class("redis source", nil, core.source_handler, { message = true, ["*"] = true })

return function(app, name, options)
  local what    = ("app:redis %s"):format(fail.show(name))
  name          = schema.name("app:redis", name)
  local checked = schema.check(what, options, SHAPE)
  local place   = core.place()
  if (checked.channel == nil) == (checked.pattern == nil) then
    fail.fault("%s: expected channel = \"...\" or pattern = \"...\", %s", what,
      checked.channel and "got both" or "got neither")
  end
  local url    = redis_url.of(what, checked.url)
  local why    = url and core.redis_fault(url)
  if why then fail.fault("%s: %s", what, why) end
  local source = setmetatable({ name = name, handlers = {} }, Source)
  source.core  = core.source {
    name    = name,
    place   = place,
    url     = url or "",
    channel = checked.channel or checked.pattern or "",
    pattern = checked.pattern ~= nil,
    topics  = checked.topics,
    queue   = checked.queue,
  }
  handlers.expect(app, source, what, place)
  return source
end
