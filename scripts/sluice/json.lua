--- sluice.json: JSON texts and values. Depth, number of values and bytes are bounded.
--
-- JSON's null is json.null, which is true as a condition; compare with ==. An empty table is {}.

local core = require "sluice.core"
local fail = require "sluice.fail"

local json = { null = core.null }

--- The JSON text of plain data; raises for functions, handles, cycles.
function json.encode(value) return core.json_encode(value) end

--- The value of a JSON text, or nil, "bad_json", sentence. (The text `null` gives json.null.)
function json.decode(text)
  if type(text) ~= "string" then fail.raise("json.decode: expected a text, got %s", fail.show(text)) end
  return core.json_decode(text)
end

--- The JSON text of a list, also of an empty one.
function json.list(list)
  return next(list) == nil and "[]" or core.json_encode(list)
end

--- A table that can be changed, from frozen data or any plain value.
function json.copy(value)
  local source = core.frozen_table(value) or value
  if type(source) ~= "table" then return source end
  local copy = {}
  for name, item in pairs(source) do copy[name] = json.copy(item) end
  return copy
end

return fail.strict("sluice.json", json)
