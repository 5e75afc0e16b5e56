--- How the library complains: in the rule file's own lines.

local core = require "sluice.core"

local fail = {}

--- Raises a sentence with the place in the rule file that called.
function fail.raise(format, ...)
  local place = core.place()
  error((place ~= "" and place .. ": " or "") .. format:format(...), 0)
end

--- Notes a fault of a declaration; loading goes on, so that one load finds them all.
function fail.fault(format, ...)
  core.fault(core.place() .. ": " .. format:format(...))
end

--- "; did you mean 'x'?", or "".
function fail.hint(word, names)
  local nearest = type(word) == "string" and core.nearest(word, names)
  return nearest and ("; did you mean '%s'?"):format(nearest) or ""
end

--- How a value is told in a message: `"text"`, `12`, `a table`.
function fail.show(value)
  local kind = type(value)
  if kind == "string" then
    if #value > 40 then value = value:sub(1, 37) .. "..." end
    return (("%q"):format(value):gsub("\\\n", "\\n"))
  end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  if kind == "userdata" then return "a " .. tostring(value):match "^[^:]+" end
  return "a " .. kind
end

--- Makes an unknown name of a module or object an error: `strict("sluice.http", http)`.
function fail.strict(what, module)
  local names = {}
  for name in pairs(module) do names[#names + 1] = name end
  return setmetatable(module, {
    __index = function(_, name)
      fail.raise("%s has no '%s'%s", what, tostring(name), fail.hint(name, names))
    end,
  })
end

return fail
