--- What an audience's `ask` may answer, as the core wants it: a text with a "1" or "0" for each user that it was
-- asked about, in their order.

local fail = require "sluice.fail"
local json = require "sluice.json"

local audience = {}

local function misuse(what)
  error("an audience must return a list of users, a table { user = true }, true for all or nil for nobody, not "
    .. what, 0)
end

-- A set, of a list or of a table of true and false.
local function admitted(answer)
  if type(answer) ~= "table" then misuse(fail.show(answer)) end
  local set, list, map = {}, false, false
  for key, value in pairs(answer) do
    if type(key) == "number" and (type(value) == "string" or type(value) == "number") then
      set[tostring(value)], list = true, true
    elseif type(key) == "string" and type(value) == "boolean" then
      set[key], map = value, true
    else
      misuse("a table with " .. fail.show(value) .. " in it")
    end
  end
  if list and map then misuse "a list and a table of names in one" end
  return set
end

--- The hook's function around the rule's.
function audience.asking(ask)
  return ask and function(key, users)
    local asked = {} -- the rule may do what it likes with its list
    for i = 1, #users do asked[i] = users[i] end
    local answer = ask(key, users)
    if answer == nil or answer == false or answer == json.null then return nil end
    local set = answer ~= true and admitted(answer)
    for i = 1, #asked do asked[i] = (not set or set[asked[i]]) and "1" or "0" end
    return table.concat(asked)
  end
end

return audience
