--- app:topic(pattern, options): the topics of one kind. Returns the handle that makes names: `mine(user)`.

local asking = require("sluice.audience").asking
local core   = require "sluice.core"
local described = require "sluice.described"
local fail   = require "sluice.fail"
local owner  = require "sluice.owner"
local schema = require "sluice.schema"
local taking = require("sluice.snapshot").taking
local types  = require "sluice.types"

local HISTORY = {
  size = { "count", default = 256, min = 1, max = 100000 },   -- triggers
  ttl  = { "seconds", default = 300, min = 1, max = 86400 },
}

local PRESENCE = {
  grace  = { "seconds", default = 5, max = 3600 },             -- after a user's last subscriber
  beat   = { "seconds", min = 1, max = 86400 },                -- a page's beat must come so often; without: none
  change = { "function" },                                     -- (user, "online" | "offline", params)
}

local RETAIN = {
  ttl = { "seconds", default = 0, max = 2592000 },            -- 0: until there is a newer one
}

local LIMIT = {
  rate  = { "count", required = "triggers a second, such as 50", min = 1, max = 1000000 },
  burst = { "count", min = 1, max = 1000000 },                -- at once; without: a second's
}

local AUDIENCE = {
  ttl = { "seconds", default = 10, max = 3600 },              -- from when it was asked; 0: asked for every trigger
  key = { "function" },                                       -- (ev, params) -> text
  ask = { "function", required = "a function(key, users)" },  -- -> users | { user = boolean } | true | nil
}

local SHAPE = {
  about     = { "prose" },
  types     = { "table" },                                    -- see sluice.types
  audience  = { "optional", shape = AUDIENCE },
  subscribe = { "function or false" },                        -- (sub, params, req) -> true | false
  filter    = { "function" },                                 -- (ev, sub, params) -> true | false
  event     = { "choice", of = { "type", "topic", false }, default = "type" },
  id        = { "choice", of = { "cursor", "publisher" }, default = "cursor" },
  wrap      = { "function" },                                 -- (type, data, meta) -> text or table
  history   = { "options", shape = HISTORY },
  presence  = { "options", shape = PRESENCE },
  retain    = { "optional", shape = RETAIN, bare = true },
  snapshot  = { "function" },                                 -- (sub, params) -> type, data | { { type, data } } | nil
  limit     = { "optional", shape = LIMIT },
  away      = { "choice", of = { "refuse", "local" }, default = "refuse" },   -- while the nodes' Redis is away
}

return function(_, pattern, options)
  local what = ("app:topic %s"):format(fail.show(pattern))
  if type(pattern) ~= "string" then
    fail.raise("%s: expected a pattern such as \"user:{user}\"", what)
  end
  local checked = schema.check(what, options, SHAPE)
  local limit   = checked.limit or {}
  local kept    = options and options.history ~= nil
  local audience = checked.audience or {}
  local listed, type_names = types.check(what, checked.types)
  if checked.snapshot and checked.retain then
    fail.fault("%s: 'snapshot' and 'retain' both say what a newcomer gets; keep one of them", what)
  end
  local topic, why = core.topic {
    pattern      = pattern,
    place        = core.place(),
    subscribe    = schema.hook(checked.subscribe, "subscribe of topic " .. pattern),
    filter       = schema.hook(checked.filter, "filter of topic " .. pattern),
    wrap         = schema.hook(checked.wrap, "wrap of topic " .. pattern),
    audience_ask = schema.hook(asking(audience.ask), "audience of topic " .. pattern, audience.ask),
    audience_key = schema.hook(audience.key, "audience.key of topic " .. pattern),
    audience_ttl = audience.ttl,
    unasked      = checked.subscribe == false,
    owned        = owner.made(checked.subscribe),
    event        = checked.event,
    id           = checked.id,
    history_size = kept and checked.history.size or 0,
    history_ttl  = kept and checked.history.ttl or 0,
    attended        = options and options.presence ~= nil,
    presence_grace  = checked.presence.grace,
    presence_beat   = checked.presence.beat or 0,
    presence_change = schema.hook(checked.presence.change, "presence change of topic " .. pattern),
    retain          = checked.retain ~= nil,
    retain_ttl      = checked.retain and checked.retain.ttl or 0,
    snapshot        = schema.hook(taking(checked.snapshot, checked.wrap), "snapshot of topic " .. pattern,
      checked.snapshot),
    away_local      = checked.away == "local",
    limit_rate      = limit.rate or 0,
    limit_burst     = limit.burst or limit.rate or 0,
    typed           = listed ~= nil,
    types           = type_names,
  }
  described.add("topic", { pattern = pattern, options = checked, types = listed, history = kept,
                           presence = options and options.presence ~= nil })
  return topic or fail.raise("%s: %s", what, why)
end
