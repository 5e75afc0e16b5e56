--- sluice.uri_template: is this URI one that a template (RFC 6570, all four levels) stands for?
--
-- A template is matched against a text from left to right, by the set of places that its parts can have come to: no
-- part is tried twice from one place, so a match takes the text's length times the template's expressions, whatever
-- they are. What a variable's value was is not told: it is mostly not the only one possible.
--
-- Who may read `/books{?page}` may not read `/books?draft=1`: where values are named, the names are the template's.
-- Only an exploded variable (`{?more*}`) can be names and values of its own, and so any.

local fail = require "sluice.fail"

local uri_template = {}

local SIZE_MAX        = 2048 -- bytes of a template
local EXPRESSIONS_MAX = 32

local UNRESERVED = "%w%-._~"
local RESERVED   = ":/?#%[%]@!$&'()*+,;="

-- RFC 6570, appendix A: what an expansion begins with, what stands between its values, whether they are named (`a=1`),
-- whether reserved characters stand in them as they are
local OPERATORS = {
  [""]  = { first = "",  separator = "," },
  ["+"] = { first = "",  separator = ",", reserved = true },
  ["#"] = { first = "#", separator = ",", reserved = true },
  ["."] = { first = ".", separator = "." },
  ["/"] = { first = "/", separator = "/" },
  [";"] = { first = ";", separator = ";", named = true },
  ["?"] = { first = "?", separator = "&", named = true },
  ["&"] = { first = "&", separator = "&", named = true },
}

local Template = {}
local parts_of, simple_of = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- "name", "name:3", "name*" -> is it exploded? and its name; nil: it is none of these
local function read_variable(text)
  local name, modifier = text:match "^([%w_%%][%w_.%%]*)(.*)$"
  if not name or name:find "%.%." or name:find "%.$" or name:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  if modifier == "" or modifier == "*" then return modifier == "*", name end
  local length = modifier:match "^:([1-9]%d?%d?%d?)$"
  if length then return false, name end
  return nil
end

-- What stands between braces -> a part
local function read_expression(text)
  local sign = text:match "^[+#./;?&]" or ""
  local operator, count, exploded, names = OPERATORS[sign], 0, false, {}
  for variable in (text:sub(#sign + 1) .. ","):gmatch "([^,]*)," do
    local explodes, name = read_variable(variable)
    if explodes == nil then return nil end
    count, exploded = count + 1, exploded or explodes
    names[count] = name
  end
  local equals = exploded and "=" or ""
  return {
    first      = operator.first,
    separator  = operator.separator,
    separators = exploded and math.huge or count - 1,
    names      = operator.named and not exploded and names or nil,
    bare       = sign == ";",                            -- a name without a value has no "=" then
    class      = "^[" .. UNRESERVED .. "," .. equals .. (operator.reserved and RESERVED or "") .. "]",
  }
end

-- RFC 6570, 2.1: what may stand outside of braces
local function is_literal(text)
  return not text:gsub("%%%x%x", ""):find "[%c \"'%%<>\\^`{|}]"
end

-- The template's parts, literals and expressions in turn; nil, a sentence.
local function read(text)
  local parts, expressions, at = {}, 0, 1
  while at <= #text do
    local open = text:find("{", at, true) or #text + 1
    local literal = text:sub(at, open - 1)
    if not is_literal(literal) then return nil, ("'%s' cannot stand outside of braces"):format(literal) end
    if literal ~= "" then parts[#parts + 1] = literal end
    if open > #text then break end
    local close = text:find("}", open, true)
    local part  = close and read_expression(text:sub(open + 1, close - 1))
    if not part then return nil, ("'%s' is no expression"):format(text:sub(open, close)) end
    expressions, at = expressions + (part.names and #part.names or 1), close + 1
    if expressions > EXPRESSIONS_MAX then return nil, ("more than %d expressions"):format(EXPRESSIONS_MAX) end
    parts[#parts + 1] = part
  end
  return parts, expressions
end

-- What most templates are: one expression that begins with nothing, between two literals. That needs no places.
-- `before`, `after`, and a pattern of what may stand between; nil: it is another kind.
local function simple(parts)
  local at = type(parts[1]) == "string" and 2 or 1
  local part, behind = parts[at], parts[at + 1] or ""
  if #parts > at + 1 or type(part) ~= "table" or part.first ~= "" or type(behind) ~= "string" then return nil end
  return { before = at == 2 and parts[1] or "", after = behind, class = part.class:gsub("%]$", "%%%%]*$") }
end

local function match_simple(text, form)
  local before, after = form.before, form.after
  if text:sub(1, #before) ~= before or #text < #before + #after then return false end
  if after ~= "" and text:sub(-#after) ~= after then return false end
  local value = text:sub(#before + 1, #text - #after)
  if not value:find(form.class) then return false end
  return not value:find("%", 1, true) or not value:gsub("%%%x%x", ""):find("%", 1, true)
end

--- A template, to be matched; or nil, "bad_template" and a sentence: it is none, or a larger one than is taken (2048
-- bytes, 32 expressions). `.expressions` is how many it has, each named variable counted as one; without any it stands
-- for itself alone.
function uri_template.new(text)
  if type(text) ~= "string" then fail.raise("uri_template.new: expected a text, got %s", fail.show(text)) end
  if #text > SIZE_MAX then return nil, "bad_template", ("a template of more than %d bytes"):format(SIZE_MAX) end
  local parts, found = read(text)
  if not parts then return nil, "bad_template", found end
  local template = setmetatable({ expressions = found }, Template)
  parts_of[template], simple_of[template] = parts, simple(parts)
  return template
end

-- The places behind a literal, of those before it.
local function past_literal(text, places, literal)
  local behind = {}
  for place in pairs(places) do
    if text:sub(place, place + #literal - 1) == literal then behind[place + #literal] = true end
  end
  return behind
end

local function reach(used, place, count)
  if (used[place] or math.huge) > count then used[place] = count end
end

-- The places behind what an expression can stand for: nothing, or what it begins with and then values. `used` is the
-- least number of separators with which a place is reached.
local function past_expression(text, places, part)
  local behind, used, lowest = {}, {}, #text + 2
  for place in pairs(places) do
    behind[place] = true
    local begin = place + #part.first
    if part.first == "" or text:sub(place, place) == part.first then
      used[begin] = 0
      if begin < lowest then lowest = begin end
    end
  end
  for place = lowest, #text + 1 do
    local count = used[place]
    if count then
      behind[place] = true
      local length = text:find(part.class, place) and 1 or text:find("^%%%x%x", place) and 3 or 0
      if length > 0 then reach(used, place + length, count) end
      if count < part.separators and text:sub(place, place) == part.separator then
        reach(used, place + 1, count + 1)
      end
    end
  end
  return behind
end

-- The places behind a name that stands at one of these, and behind all that its value can be.
local function past_named(text, places, lead, name, part)
  local behind, head = {}, lead .. name
  for place in pairs(places) do
    local at = text:sub(place, place + #head - 1) == head and place + #head or nil
    if at and part.bare then behind[at] = true end
    if at and text:sub(at, at) == "=" then
      at = at + 1
      while at do
        behind[at] = true
        at = text:find(part.class, at) and at + 1 or text:find("^%%%x%x", at) and at + 3 or nil
      end
    end
  end
  return behind
end

local function add(places, more)
  for place in pairs(more) do places[place] = true end
end

-- The places behind named values: of these variables, in their order, any may be missing.
local function past_names(text, places, part)
  local behind, begun = {}, {}                           -- `begun`: where at least one has a value
  add(behind, places)
  for _, name in ipairs(part.names) do
    local first, further = past_named(text, places, part.first, name, part), {}
    if next(begun) then further = past_named(text, begun, part.separator, name, part) end
    add(begun, first)
    add(begun, further)
  end
  add(behind, begun)
  return behind
end

--- Can the template be expanded to this text? The lengths of `{name:3}` are not looked at.
function Template:match(text)
  if type(text) ~= "string" then fail.raise("template:match: expected a text, got %s", fail.show(text)) end
  local form = simple_of[self]
  if form then return match_simple(text, form) end
  local places = { [1] = true }
  for _, part in ipairs(parts_of[self]) do
    if type(part) == "string" then
      places = past_literal(text, places, part)
    elseif part.names then
      places = past_names(text, places, part)
    else
      places = past_expression(text, places, part)
    end
    if next(places) == nil then return false end
  end
  return places[#text + 1] == true
end

local names = { "match", "expressions" }

Template.__index = function(_, name)
  return rawget(Template, name) or
         fail.raise("a URI template has no '%s'%s", tostring(name), fail.hint(name, names))
end
Template.__metatable = "uri template"

return fail.strict("sluice.uri_template", uri_template)
