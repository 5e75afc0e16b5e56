--- What takes handlers of event types: `inbox:on(type, function(ev) ... end)`.

local core = require "sluice.core"
local fail = require "sluice.fail"

local handlers = {}

local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The class of such handles, which have a name, the core's declaration (`core`) and `handlers` = {}.
-- @param noun what it is, for messages
-- @param life set of the types that begin with '@' that it knows; nil: '@' is a letter like others
-- @param register function(declaration, type, hook)
-- @param only set of the types that there are; nil: there may be any
function handlers.class(noun, life, register, only)
  local Class = {}
  Class.__index = function(self, name)
    return Class[name] or fail.raise("the %s '%s' has no '%s'; handlers are added by :on(type, fn)", noun,
      rawget(self, "name"), tostring(name))
  end

  local function add(self, kind, run)
    if type(kind) ~= "string" or kind == "" or core.breaks_line(kind) then
      return fail.fault("%s:on: expected an event type, got %s", self.name, fail.show(kind))
    end
    if only and not only[kind] then
      return fail.fault("%s:on: unknown '%s'; there are: %s", self.name, kind, table.concat(names_of(only), ", "))
    end
    if life and kind:sub(1, 1) == "@" and not life[kind] then
      return fail.fault("%s:on: unknown '%s'%s", self.name, kind, fail.hint(kind, names_of(life)))
    end
    if self.handlers[kind] then
      return fail.fault("%s:on: '%s' has a handler already, at %s", self.name, kind, self.handlers[kind])
    end
    self.handlers[kind] = core.place()
    if not rawget(self, "core") then return end -- it was refused, which is told already
    register(self.core, kind, core.hook(run, ("%s:on %q"):format(self.name, kind)))
  end

  --- Declares the handler of an event type, or of a list of them. "*" is any type that has none of its own.
  function Class.on(self, kinds, run)
    core.declaring(self.name .. ":on")
    if type(run) ~= "function" then
      return fail.fault("%s:on: expected a function(ev), got %s", self.name, fail.show(run))
    end
    if type(kinds) ~= "table" then kinds = { kinds } end
    if #kinds == 0 then fail.fault("%s:on: expected an event type, got none", self.name) end
    for _, kind in ipairs(kinds) do add(self, kind, run) end
  end

  return Class
end

--- A handle without any handler is a fault, once the rule file has run to its end.
function handlers.expect(app, handle, what, place)
  app.at_finish(function()
    if next(handle.handlers) then return end
    core.fault(("%s: %s is never finished: no handler; %s:on(type, function(ev) ... end) adds one"):format(
      place, what, handle.name))
  end)
end

return handlers
