-- What tabs received, as a list to compare with; and how two such lists differ, as text.

local json  = require "cjson.safe"
local lines = require "sluice.rig.lines"

local journal = {}

local FIELDS = { "who", "what", "topic", "data", "cursor" }

-- Known by its name: busted loads this module anew for each file.
local mark = { __name = "sluice.journal" }

--- A list of entries with these fields alone; no fields: with all.
function journal.of(entries, fields)
  if #fields == 0 then return setmetatable(entries, mark) end
  local known, list = {}, {}
  for _, field in ipairs(FIELDS) do known[field] = true end
  for _, field in ipairs(fields) do
    if not known[field] then
      error(("world:journal: there is no field %q; there are: %s"):format(tostring(field),
        table.concat(FIELDS, ", ")), 3)
    end
  end
  for i, entry in ipairs(entries) do
    list[i] = {}
    for _, field in ipairs(fields) do list[i][field] = entry[field] end
  end
  return setmetatable(list, mark)
end

local function is_journal(list)
  local meta = getmetatable(list)
  return type(meta) == "table" and meta.__name == mark.__name
end

--- Two lists, of which one is a journal?
function journal.either(one, other)
  return type(one) == "table" and type(other) == "table" and (is_journal(one) or is_journal(other))
end

local WORDS = { ["nil"] = true, ["true"] = true, ["false"] = true } -- quoted where they are texts

-- A value as a cell, different for different values: texts are quoted where they could be taken for another.
local function cell(value)
  local kind = type(value)
  if kind == "table" then return json.encode(value) or tostring(value) end
  if kind ~= "string" then return tostring(value) end
  local plain = value:find "^[^%c]+$" and not value:find '^["%s]' and not value:find "%s$" and not value:find "  "
  if plain and not WORDS[value] and not tonumber(value) then return value end
  return (("%q"):format(value):gsub("\\\n", "\\n"))
end

-- The fields that occur, in the order above, others behind.
local function fields_of(...)
  local found, list, others = {}, {}, {}
  for _, entries in ipairs { ... } do
    for _, entry in ipairs(entries) do
      for field in pairs(type(entry) == "table" and entry or {}) do found[field] = true end
    end
  end
  for _, field in ipairs(FIELDS) do
    if found[field] then list[#list + 1], found[field] = field, nil end
  end
  for field in pairs(found) do others[#others + 1] = tostring(field) end
  table.sort(others)
  for _, field in ipairs(others) do list[#list + 1] = field end
  return list
end

local function cells(entry, fields)
  if type(entry) ~= "table" then return { cell(entry) } end
  local row = {}
  for i, field in ipairs(fields) do row[i] = cell(entry[field]) end
  return row
end

-- Functions that put cells into columns, as wide as their widest.
local function columns(...)
  local widths = {}
  for _, rows in ipairs { ... } do
    for _, row in ipairs(rows) do
      for i, text in ipairs(row) do widths[i] = math.max(widths[i] or 0, #text) end
    end
  end
  return function(row)
    local padded = {}
    for i, text in ipairs(row) do padded[i] = text .. (" "):rep(widths[i] - #text) end
    return (table.concat(padded, "  "):gsub(" +$", ""))
  end
end

-- Fields that no expectation names, cursors above all, are better left out.
local function advise(expected, came)
  local named, quoted, left = fields_of(expected), {}, fields_of(came)
  for i, field in ipairs(named) do
    quoted[i] = ("%q"):format(field)
    for k = #left, 1, -1 do
      if left[k] == field then table.remove(left, k) end
    end
  end
  if #named == 0 or #left == 0 then return "" end
  return ("\nworld:journal(%s) gives entries with these fields alone"):format(table.concat(quoted, ", "))
end

--- How they differ, as text of one line an entry; nil where no line does.
function journal.difference(expected, came)
  local fields, from, to = fields_of(expected, came), {}, {}
  for i, entry in ipairs(expected) do from[i] = cells(entry, fields) end
  for i, entry in ipairs(came) do to[i] = cells(entry, fields) end
  local align = columns({ fields }, from, to)
  for i, row in ipairs(from) do from[i] = align(row) end
  for i, row in ipairs(to) do to[i] = align(row) end
  local told = lines.difference(from, to)
  return told and ("Expected another journal (- expected, + came):\n  %s\n%s%s"):format(align(fields), told,
    advise(expected, came))
end

return journal
