--- The `types` option of a topic: which types of triggers it has, and what is in them. For people, and for a warning
-- where another type is emitted; what a handler emits is checked against nothing else.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local types = {}

local TYPES_MAX, FIELDS_MAX, NAME_MAX = 200, 100, 256 -- of a topic; of a type; bytes

local SHAPE = {
  about  = { "prose" },
  data   = { "prose" },                                       -- what the data is where it is no object
  fields = { "table" },                                       -- name -> what it is
}

-- Its names, sorted; what is no name, or one too many, is a fault.
local function names_of(what, of_what, given, most)
  local names = {}
  for name, value in pairs(given) do
    if type(name) ~= "string" or name == "" or #name > NAME_MAX or core.breaks_line(name) then
      fail.fault("%s: expected %s = ..., got [%s] = %s", what, of_what, fail.show(name), fail.show(value))
    else
      names[#names + 1] = name
    end
  end
  if #names > most then fail.fault("%s: there are %d, %d at most", what, #names, most) end
  table.sort(names)
  return names
end

local function fields_of(what, given)
  local fields = {}
  for i, name in ipairs(names_of(what, '["field"]', given, FIELDS_MAX)) do
    local text, expected = schema.prose(given[name])
    if not text then fail.fault("%s.%s: expected %s, got %s", what, name, expected, fail.show(given[name])) end
    fields[i] = { name = name, about = text or "" }
  end
  return fields
end

--- The checked types, sorted by name: { { name =, about =, data =, fields = { { name =, about = }, ... } }, ... };
-- and the names alone. Nothing given: nil.
function types.check(what, given)
  if given == nil then return nil end
  local list = {}
  what = what .. ".types"
  local names = names_of(what, '["a.type"]', given, TYPES_MAX)
  for i, name in ipairs(names) do
    local one     = ("%s[%q]"):format(what, name)
    local checked = schema.check(one, given[name], SHAPE)
    if checked.data and checked.fields then
      fail.fault("%s: 'data' is for what has no fields, and it has 'fields'", one)
    end
    list[i] = { name = name, about = checked.about, data = checked.data,
                fields = checked.fields and fields_of(one .. ".fields", checked.fields) }
  end
  return list, names
end

return types
