--- sluice.json: JSON texts and values. Depth, number of values and bytes are bounded.
--
-- JSON's null is json.null, which is true as a condition; compare with ==. An empty table is {}, unless it is
-- marked by json.list, or came as []. Whole numbers are exact up to 2^53.

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

--- Marks a table as a list and returns it: it is [] also when it is empty.
function json.list(list)
  if type(list) ~= "table" then fail.raise("json.list: expected a table, got %s", fail.show(list)) end
  return core.json_list(list)
end

--- A table that can be changed, from frozen data or any plain value.
function json.copy(value)
  local source = core.frozen_table(value) or value
  if type(source) ~= "table" then return source end
  local copy = {}
  if next(source) == nil and core.json_encode(source) == "[]" then return core.json_list(copy) end
  for name, item in pairs(source) do copy[name] = json.copy(item) end
  return copy
end

return fail.strict("sluice.json", json)
