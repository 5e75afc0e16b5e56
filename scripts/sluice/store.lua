--- sluice.store: the app's shared dictionary: plain data by text, with time-outs. It survives reloads, not restarts.
--
-- Bounded in entries and bytes: what finds it full is answered nil, "full", sentence; nothing is evicted silently.

local core = require "sluice.core"
local fail = require "sluice.fail"

local store = {}

-- The library's own keys begin with this; no rule's do.
local OWN = "\0"

local function key_of(key)
  if type(key) == "string" and key:sub(1, 1) == OWN then fail.raise "store: a key cannot begin with NUL" end
  return key
end

local function ttl_of(options)
  if options == nil then return nil end
  if type(options) ~= "table" then fail.raise("store: expected { ttl = seconds }, got %s", fail.show(options)) end
  for name in pairs(options) do
    if name ~= "ttl" then fail.raise("store: unknown option '%s'; there is: ttl", tostring(name)) end
  end
  return options.ttl
end

--- The value under a key, or nil: there is none, or its time is over. A copy: changing it changes nothing here.
function store.get(key) return core.store_get(key_of(key)) end

--- Sets; nil deletes.
-- @param options { ttl = seconds }
-- @return true; or nil, "full", sentence
function store.set(key, value, options) return core.store_set(key_of(key), value, ttl_of(options)) end

--- Sets only if nothing is there: true, or false; or nil, "full", sentence.
function store.add(key, value, options) return core.store_add(key_of(key), value, ttl_of(options)) end

--- Deletes: was there anything?
function store.delete(key) return core.store_delete(key_of(key)) end

--- Adds to a number (0 if there is none) and returns the sum. Nothing comes between.
function store.increment(key, by, options)
  local sum = (store.get(key) or 0) + (by or 1)
  local good, code, why = store.set(key, sum, options)
  if not good then return nil, code, why end
  return sum
end

--- The keys that begin with a prefix, sorted.
function store.keys(prefix)
  local keys = core.store_keys(prefix and key_of(prefix))
  while keys[1] and keys[1]:sub(1, 1) == OWN do table.remove(keys, 1) end
  return keys
end

return fail.strict("sluice.store", store)
