--- app:ingest(name, options): where events are published over HTTP. Returns the handle that takes handlers:
-- `mutations:on(type, function(ev) ... end)`.

local core     = require "sluice.core"
local described = require "sluice.described"
local fail     = require "sluice.fail"
local handlers = require "sluice.handlers"
local schema   = require "sluice.schema"

local IDEMPOTENCY = {
  ttl  = { "seconds", default = 300, max = 86400 },
  size = { "count", default = 10000, max = 1000000 },                        -- answers; 0: none is kept
}

local SHAPE = {
  about       = { "prose" },
  path        = { "text", required = "a path such as \"/publish\"" },
  authorize   = { "authorize", required = "sluice.bearer(key), a function(req), or false: anybody" },
  users       = { "choice", of = { "own", "any" }, default = "own" },
  unknown     = { "choice", of = { "error", "ignore" }, default = "error" },
  batch_max   = { "count", default = 100, min = 1, max = 1000 },             -- events of a request
  queue       = { "count", default = 256, max = 4096 },                      -- requests of a publisher that wait
  rate        = { "table" },                                                 -- events of a publisher; see schema.rate
  origins     = { "list", of = "text", default = {} },
  idempotency = { "options", shape = IDEMPOTENCY },
}

local Ingest = handlers.class("ingest", nil, core.ingest_handler)

-- The hook of every ingest: all events of a request, one after the other, in one call. What the handlers returned is
-- the answer's `result`; of a list, a list.
local function handle_all()
  local results
  local handler, ev, index, total = core.next_published()
  while handler do
    local result = handler(ev)
    if result ~= nil and total == 0 then
      results = result
    elseif result ~= nil then
      results = results or {}
      results[index] = result
    end
    handler, ev, index = core.next_published()
  end
  if results == nil or total == 0 then return results end
  for i = 1, total do
    if results[i] == nil then results[i] = core.null end
  end
  return core.json_list(results)
end

return function(app, name, options)
  local what    = ("app:ingest %s"):format(fail.show(name))
  name          = schema.name("app:ingest", name)
  local checked = schema.check(what, options, SHAPE)
  local place   = core.place()
  local who     = checked.authorize
  if who == false and checked.users == "any" then
    fail.fault("%s: users = \"any\" lets anybody say whose an event is, as authorize is false; give it a key", what)
  end
  local rate   = schema.rate(what .. ".rate", checked.rate, true)
  local ingest = setmetatable({ name = name, is_ingest = true, handlers = {} }, Ingest)
  described.add("ingest", { name = name, options = checked, handlers = ingest.handlers, rate = rate })
  local why
  ingest.core, why = core.ingest {
    name            = name,
    method          = "POST",
    path            = checked.path or "/",
    place           = place,
    identity        = type(who) == "function" and core.hook(who, "authorize of ingest " .. name)
      or who and who.hook or 0,
    keys            = who and type(who) == "table" and who.keys or {},
    any_user        = checked.users == "any",
    ignores_unknown = checked.unknown == "ignore",
    run             = core.hook(handle_all, "ingest " .. name),
    origins         = checked.origins,
    rate            = rate.rate,
    rate_burst      = rate.burst,
    rate_seconds    = rate.seconds,
    batch           = checked.batch_max,
    waiting         = checked.queue,
    kept            = checked.idempotency.size,
    kept_for        = checked.idempotency.ttl,
  }
  if not rawget(ingest, "core") then fail.fault("%s: %s", what, why) end
  handlers.expect(app, ingest, what, place)
  return ingest
end
