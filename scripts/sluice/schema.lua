--- Checks the options of declarations against a schema: names, types, ranges, defaults.
--
-- A schema is a table by option: `{ kind, default = ..., required = true, min =, max =, of = ... }`. Each fault
-- is noted with file and line, and the default taken, so that one load finds them all. Of kind "options" are options
-- with a `shape` of their own, which are there, by default, also where nothing is said; "optional" ones are not
-- (`bare`: a plain `true` says that they are).

local core = require "sluice.core"
local fail = require "sluice.fail"

local schema = {}

-- kind -> function(value, rule): the checked value; or nil, what was expected, and what came if it can be said
-- better than by showing the value.
local kinds = {}

local function range(what, rule)
  return ("%s from %s to %s"):format(what, tostring(rule.min or 0), tostring(rule.max))
end

local function within(value, rule)
  return type(value) == "number" and value >= (rule.min or 0) and value <= rule.max
end

function kinds.count(value, rule)
  if within(value, rule) and value % 1 == 0 then return value end
  return nil, range("a whole number", rule)
end

function kinds.seconds(value, rule)
  if within(value, rule) then return value end
  return nil, range("seconds", rule)
end

function kinds.boolean(value)
  if type(value) == "boolean" then return value end
  return nil, "true or false"
end

function kinds.text(value)
  if type(value) == "string" and value ~= "" and not core.breaks_line(value) then return value end
  return nil, "a text"
end

local PROSE_MAX = 4000 -- bytes

function kinds.prose(value)
  if type(value) == "string" and value:find "%S" and #value <= PROSE_MAX then return value end
  return nil, ("a text for people, of %d bytes at most"):format(PROSE_MAX)
end

kinds["function"] = function(value)
  if type(value) == "function" then return value end
  return nil, "a function"
end

function kinds.table(value)
  if type(value) == "table" then return value end
  return nil, "a table"
end

kinds["function or false"] = function(value)
  if type(value) == "function" or value == false then return value end
  return nil, "a function, or false"
end

function kinds.choice(value, rule)
  local names = {}
  for i, choice in ipairs(rule.of) do
    if value == choice then return value == false and "none" or value end
    names[i] = fail.show(choice)
  end
  return nil, "one of " .. table.concat(names, ", ")
end

function kinds.identity(value)
  if type(value) == "table" and value.is_identity then return value end
  if type(value) == "function" then return value end
  return nil, "what sluice.identity gives, or a function(req)"
end

function kinds.authorize(value)
  if value == false or type(value) == "function" then return value end
  if type(value) == "table" and (value.is_identity or value.is_bearer) then return value end
  return nil, "what sluice.bearer or sluice.identity gives, a function(req), or false"
end

function kinds.topic(value)
  if core.is_topic(value) then return value end
  return nil, "what app:topic gives"
end

function kinds.topics(value)
  local list = core.is_topic(value) and { value } or value
  for _, topic in ipairs(type(list) == "table" and list or {}) do
    if not core.is_topic(topic) then return nil, "what app:topic gives, or a list of those" end
  end
  if type(list) == "table" and #list > 0 then return list end
  return nil, "what app:topic gives, or a list of those"
end

function kinds.upstream(value)
  if type(value) == "table" and value.is_upstream then return value end
  return nil, "what app:upstream gives"
end

function kinds.list(value, rule)
  if type(value) ~= "table" or (#value == 0 and next(value) ~= nil) then return nil, "a list" end
  local items = {}
  for i, item in ipairs(value) do
    local checked, expected = kinds[rule.of](item, rule)
    if checked == nil then
      return nil, "a list of which each is " .. expected, ("number %d: %s"):format(i, fail.show(item))
    end
    items[i] = checked
  end
  return items
end

-- Query parameters that mean one thing: a name, a list of them, false for none. They are compared as they stand.
function kinds.parameters(value)
  local names = type(value) == "string" and { value } or value == false and {} or value
  local good  = type(names) == "table" and (#names > 0 or next(names) == nil)
  for _, name in ipairs(good and names or {}) do
    good = good and type(name) == "string" and name:find "^[%w_.~-]+$"
  end
  if good then return names end
  return nil, "a parameter's name (letters, digits, \"_-.~\"), a list of them, or false"
end

local function names_of(shape)
  local names = {}
  for name in pairs(shape) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function check_one(what, name, value, rule)
  if rule[1] == "optional" then
    if value == true and rule.bare then value = {} end
    return value and schema.check(what .. "." .. name, value, rule.shape) or nil
  end
  if rule[1] == "options" or (rule.shape and type(value) == "table") then
    return schema.check(what .. "." .. name, value, rule.shape)
  end
  if value == nil then
    if rule.required then fail.fault("%s: '%s' is missing: expected %s", what, name, rule.required) end
    return rule.default
  end
  local checked, expected, got = kinds[rule[1]](value, rule)
  if checked ~= nil then return checked end
  fail.fault("%s: '%s': expected %s, got %s", what, name, expected, got or fail.show(value))
  return rule.default
end

--- The checked options. `what` names the declaration in messages: `app:stream "events"`.
function schema.check(what, options, shape)
  local checked = {}
  if options ~= nil and type(options) ~= "table" then
    fail.fault("%s: expected a table of options, got %s", what, fail.show(options))
    options = nil
  end
  local names = names_of(shape)
  for _, name in ipairs(names_of(options or {})) do
    if shape[name] == nil then
      local hint = fail.hint(name, names)
      fail.fault("%s: unknown option '%s'%s", what, tostring(name),
        hint ~= "" and hint or "; there are: " .. table.concat(names, ", "))
    end
  end
  for _, name in ipairs(names) do checked[name] = check_one(what, name, (options or {})[name], shape[name]) end
  return checked
end

--- What is said to people: the text; or nil, and what was expected.
function schema.prose(value) return kinds.prose(value) end

local LIMIT = {
  rate    = { "count", required = "how many, such as 10", min = 1, max = 1000000 },
  burst   = { "count", min = 1, max = 1000000 },              -- at once; as many as rate
  seconds = { "count", default = 1, min = 1, max = 86400 },   -- in which `rate` come back
}

local RATE = { per = { "choice", of = { "address", "user" }, default = "address" } }
for name, rule in pairs(LIMIT) do RATE[name] = rule end

--- A `rate` option, { rate = 10, seconds = 1, burst = 10, per = "address" }, checked; nil: one that limits nothing.
-- @param own for a limit of the rule's own, which is per whatever it says
function schema.rate(what, options, own)
  if options == nil then return { rate = 0 } end
  local checked = schema.check(what, options, own and LIMIT or RATE)
  checked.rate  = checked.rate or 1
  checked.burst = checked.burst or checked.rate
  return checked
end

--- Puts the fields of one table into another.
function schema.add(fields, more)
  for name, value in pairs(more) do fields[name] = value end
end

--- The fields of an endpoint's `rate` option.
function schema.endpoint_rate(what, options, identity)
  local checked = schema.rate(what .. ".rate", options)
  if checked.per == "user" and not identity then
    fail.fault("%s.rate: it is per user, and there is no identity to say who that is", what)
  end
  return { rate = checked.rate, rate_burst = checked.burst, rate_seconds = checked.seconds, rate_per = checked.per }
end

--- A declaration's name: a word.
function schema.name(what, name)
  if type(name) == "string" and name:find "^[%w][%w_.-]*$" and #name <= 64 then return name end
  fail.fault("%s: expected a name (letters, digits, '_', '-', '.'), got %s", what, fail.show(name))
  return "nameless"
end

--- The hook number of an option that is a function, 0 without one.
-- @param rule the rule's function where the library's is around it: whose place is told
-- @param spare the hook that is run in its place while it is in quarantine
function schema.hook(run, what, rule, spare)
  return run and core.hook(run, what, rule, spare) or 0
end

--- An identity: the function, under a hook of its own.
-- @param rule as for schema.hook
function schema.new_identity(run, what, rule)
  return { is_identity = true, run = run, place = core.place(), hook = core.hook(run, what, rule) }
end

--- What an `identity` option asks, and the place of its declaration if it has one; nil: it is none.
function schema.identity_function(identity)
  if type(identity) == "function" then return identity end
  if type(identity) == "table" and identity.is_identity then return identity.run, identity.place end
end

--- The hook number of an `identity` option.
function schema.identity(identity, what)
  if type(identity) == "function" then return core.hook(identity, "identity of " .. what) end
  return identity and identity.hook or 0
end

return schema
