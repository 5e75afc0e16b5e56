--- sluice.cache: what is asked for often, kept for a while, and asked for once however many want it.
--
--   local names = cache.new("names", { ttl = 60, load = function(key) ... return value end })
--   names:get(key)
--
-- A cache is this loading of the rule file's own: a reload drops it, as what was kept may not be what the new rules
-- would load. It is bounded by count: the one that was not used for longest goes.
--
-- A load is a background task, so that it does not end with the request that happened to be the first to ask: all who
-- wait get its value, or its error. What is set or forgotten while a load is under way is newer than what that will
-- bring, which then goes to those who wait for it and is not kept.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local cache = {}

local DEADLINE = core.standards.handler_deadline or 10  -- of a load, seconds
local LOOK     = 0.25                                   -- how often who waits looks whether the load still runs

local SHAPE = {
  load       = { "function", required = "a function(key) that returns the value" },
  ttl        = { "seconds", default = 60, min = 0.001, max = 86400 * 30 },
  absent_ttl = { "seconds", default = 5, max = 86400 * 30 },  -- of nothing; 0: not kept
  size       = { "count", default = 1000, min = 1, max = 1000000 },
}

local Cache = {}

local parts = setmetatable({}, { __mode = "k" })  -- cache -> what it is made of

local meta = {
  __index = function(_, name)
    return Cache[name] or fail.raise("a cache has no '%s'%s", tostring(name),
      fail.hint(name, { "get", "peek", "set", "forget", "clear" }))
  end,
  __metatable = "cache",
}

local function check(self, what, key)
  local own = parts[self] or fail.raise("cache:%s is called with a colon, not with a dot", what)
  if type(key) == "string" or type(key) == "number" and key == key then return own end
  return fail.raise("cache '%s': %s: the key is %s, expected a text or a number", own.name, what, fail.show(key))
end

-- Items stand in a ring, the one that was used last behind its head: head.next is the oldest.

local function unlink(item) item.prev.next, item.next.prev = item.next, item.prev end

local function link(head, item)
  item.prev, item.next = head.prev, head
  head.prev.next, head.prev = item, item
end

local function drop(own, item)
  unlink(item)
  own.items[item.key], own.count = nil, own.count - 1
end

-- The item of a key, if its time is not over.
local function find(own, key)
  local item = own.items[key]
  if item and item.due <= core.monotonic() then
    drop(own, item)
    return nil
  end
  return item
end

local function keep(own, key, value)
  local ttl, old = value == nil and own.absent_ttl or own.ttl, own.items[key]
  if old then drop(own, old) end
  if ttl == 0 then return end
  if own.count >= own.size then drop(own, own.ring.next) end
  local item = { key = key, value = value, due = core.monotonic() + ttl }
  own.items[key], own.count = item, own.count + 1
  link(own.ring, item)
end

local function ended(own, flight)
  if own.flights[flight.key] == flight then
    own.flights[flight.key] = nil
    if flight.loaded then keep(own, flight.key, flight.value) end
  end
  flight.over = true
  flight.latch:open()
end

local function run(own, flight)
  local good, value = pcall(own.load, flight.key)
  if not good then
    flight.failed, flight.error = true, value
  else
    if value == core.null then value = nil end
    flight.loaded, flight.value = true, value
  end
end

-- The load of a key that is under way, begun if none is.
local function fly(own, key)
  local flight = own.flights[key]
  if flight then return flight end
  flight = { key = key, latch = core.latch() }
  local begun = core.background("cache " .. own.name, DEADLINE, function() run(own, flight) end,
    function() ended(own, flight) end, own.hook)
  if not begun then fail.raise("cache '%s': too many background tasks are alive", own.name) end
  own.flights[key] = flight
  return flight
end

-- Waits for the load of a key; returns its flight, or nil: a reload has ended it.
local function wait(own, key)
  if core.retired() then return nil end
  local flight = fly(own, key)
  repeat
    flight.latch:wait(LOOK)
    core.collect()
    if not flight.over and core.retired() then return nil end
  until flight.over
  return flight
end

--- The value of a key, loaded if it is not there; nil: there is none. Waits for the load, which all who want the key
-- share. Raises what `load` raised; that is not kept.
function Cache:get(key)
  local own  = check(self, "get", key)
  local item = find(own, key)
  if item then
    unlink(item)
    link(own.ring, item)
    return item.value
  end
  local flight = wait(own, key)
  if not flight then -- these rules only end what they have begun: everybody for himself
    flight = { key = key }
    run(own, flight)
  end
  if flight.loaded then return flight.value end
  if flight.failed then error(flight.error, 0) end
  return fail.raise("cache '%s': the load of %s was ended before it returned", own.name, fail.show(key))
end

--- What is kept of a key now, without loading it, and whether anything is: nil, true is known to be absent.
function Cache:peek(key)
  local item = find(check(self, "peek", key), key)
  return item and item.value, item ~= nil
end

--- Keeps a value as if it had been loaded; nil: there is none.
function Cache:set(key, value)
  local own = check(self, "set", key)
  own.flights[key] = nil
  if value == core.null then value = nil end
  keep(own, key, value)
end

--- Forgets a key: the next one who asks has it loaded.
function Cache:forget(key)
  local own = check(self, "forget", key)
  own.flights[key] = nil
  if own.items[key] then drop(own, own.items[key]) end
end

--- Forgets everything.
function Cache:clear()
  local own = check(self, "clear", "")
  own.items, own.flights, own.count = {}, {}, 0
  own.ring.next, own.ring.prev = own.ring, own.ring
end

local named = {}

--- A new cache, while the rule file loads.
-- @param name for the log; a file's caches have different ones
-- @param options load = function(key), ttl and absent_ttl in seconds, size in entries
function cache.new(name, options)
  core.declaring "cache.new"
  name = schema.name("cache.new", name)
  local what = ("cache.new %q"):format(name)
  if named[name] then fail.fault("%s: this name is taken, at %s", what, named[name]) end
  named[name] = core.place()
  local own = schema.check(what, options, SHAPE)
  own.name, own.items, own.flights, own.count, own.ring = name, {}, {}, 0, {}
  own.ring.next, own.ring.prev = own.ring, own.ring
  own.hook = schema.hook(own.load, "load of cache " .. name)
  local self = setmetatable({}, meta)
  parts[self] = own
  return self
end

return fail.strict("sluice.cache", cache)
