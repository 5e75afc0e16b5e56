--- sluice.fields: what an object that comes from outside has to have, and only that of it.
--
--   local moved = fields.new { card = "name", position = "count", note = "text?" }
--   local card  = moved:of(ev)              -- { card =, position =, note = }; or 422, which names the field
--
-- What is not among them is left out, so that nothing goes out that nobody has listed.

local core   = require "sluice.core"
local fail   = require "sluice.fail"

local fields = {}

local NAME_MAX, NAMES_MAX = 4096, 1000

local function is_name(value) return type(value) == "string" and value ~= "" and #value <= NAME_MAX end

local KINDS = {
  text    = { "a text", function(value) return type(value) == "string" end },
  name    = { ("a text of 1 to %d bytes"):format(NAME_MAX), is_name },
  number  = { "a number", function(value) return type(value) == "number" end },
  count   = { "a whole number from 0", function(value)
    return type(value) == "number" and value >= 0 and value < 2 ^ 53 and value % 1 == 0
  end },
  boolean = { "true or false", function(value) return type(value) == "boolean" end },
  names   = { ("a list of at most %d texts of 1 to %d bytes"):format(NAMES_MAX, NAME_MAX), function(value)
    if type(value) ~= "table" or #value > NAMES_MAX then return false end
    local count = 0
    for _, item in pairs(value) do
      if not is_name(item) then return false end
      count = count + 1
    end
    return count == #value
  end },
  any     = { "a value", function() return true end },
}
local KIND_NAMES = { "any", "boolean", "count", "name", "names", "number", "text" }

-- "count|name?" as { optional = true, expected = "...", kinds... }
local function read_kind(field, text)
  if type(text) ~= "string" then
    fail.raise("fields.new: '%s': expected a kind such as \"text\", got %s", tostring(field), fail.show(text))
  end
  local rule, words = { optional = text:sub(-1) == "?" }, {}
  for word in text:gsub("%?$", ""):gmatch "[^|]+" do
    local kind = KINDS[word] or fail.raise("fields.new: '%s': unknown kind '%s'%s (there are: %s)", tostring(field),
      word, fail.hint(word, KIND_NAMES), table.concat(KIND_NAMES, ", "))
    rule[#rule + 1], words[#words + 1] = kind[2], kind[1]
  end
  if #rule == 0 then fail.raise("fields.new: '%s': expected a kind such as \"text\", got %q", tostring(field), text) end
  rule.expected = table.concat(words, ", or ")
  return rule
end

local function fits(rule, value)
  for _, is in ipairs(rule) do
    if is(value) then return true end
  end
  return false
end

local function refuse(ev, sentence)
  return core.refuse(422, "bad_fields", ("event '%s': %s"):format(ev.type, sentence))
end

local Fields = {}

local meta = {
  __index = function(_, name)
    return Fields[name] or fail.raise("fields have no '%s'%s", tostring(name), fail.hint(name, { "of" }))
  end,
  __metatable = "fields",
}

local parts = setmetatable({}, { __mode = "k" })

--- The fields of an event's JSON object, checked; what is null is not there. An event without one of them, or with
-- one of another kind, refuses the publish: 422, `bad_fields`.
function Fields:of(ev)
  local own  = parts[self] or fail.raise "fields:of is called with a colon, not with a dot"
  local data = ev:json()
  if type(data) ~= "table" or #data > 0 then return refuse(ev, "expected an object") end
  local picked = {}
  for _, name in ipairs(own.names) do
    local value, rule = data[name], own.rules[name]
    if value == core.null then value = nil end
    if value == nil and not rule.optional or value ~= nil and not fits(rule, value) then
      return refuse(ev, ("%s: expected %s, got %s"):format(name, rule.expected,
        value == nil and "nothing" or fail.show(value)))
    end
    picked[name] = value
  end
  return picked
end

--- What an object has to have, while the rule file loads.
-- @param shape kinds by name: "text", "name", "number", "count", "boolean", "names", "any"; several by "count|name";
--   with "?" at the end it may be left out
function fields.new(shape)
  core.declaring "fields.new"
  if type(shape) ~= "table" then
    fail.raise("fields.new: expected such as { card = \"name\" }, got %s", fail.show(shape))
  end
  local own = { names = {}, rules = {} }
  for name, kind in pairs(shape) do
    if type(name) ~= "string" then fail.raise("fields.new: expected names of fields, got %s", fail.show(name)) end
    own.names[#own.names + 1], own.rules[name] = name, read_kind(name, kind)
  end
  table.sort(own.names)
  local self = setmetatable({}, meta)
  parts[self] = own
  return self
end

return fail.strict("sluice.fields", fields)
