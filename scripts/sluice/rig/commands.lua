-- What the rules' Redis commands get: scripted answers, held ones, failures.

local commands = {}
commands.__index = commands

local Held = {}
Held.__index = Held

--- `unscripted`, where it is set, is called with a command that nothing is scripted for, and returns whether that
-- was an answer; else such a command raises.
function commands.new(core) return setmetatable({ core = core, scripts = {}, all = {}, seen = 0 }, commands) end

local function words_of(command)
  local words = {}
  for word in tostring(command):gmatch "%S+" do words[#words + 1] = word end
  if type(command) ~= "string" or not words[1] then
    error(("expected a command such as \"HGET user:ann name\", got %s"):format(tostring(command)), 3)
  end
  words[1] = words[1]:upper()
  return words
end

local function begins_with(words, first)
  for i, word in ipairs(first) do
    if words[i] ~= word then return false end
  end
  return true
end

function commands:script(command, script)
  script.words = words_of(command)
  local same = function(other) return #other.words == #script.words and begins_with(other.words, script.words) end
  for i, other in ipairs(self.scripts) do
    if same(other) then
      self.scripts[i] = script
      return
    end
  end
  table.insert(self.scripts, script)
end

function commands:reply(command, answer) self:script(command, { answer = answer }) end

function commands:fail(command, code) self:script(command, { code = code }) end

function commands:hold(command, world)
  local held = setmetatable({ waiting = {}, count = 0, world = world, command = command }, Held)
  self:script(command, { held = held })
  return held
end

local function answer(core, number, value)
  if type(value) == "table" and value.err then return core:command_answer(number, "error", value.err) end
  return core:command_answer(number, nil, value)
end

--- Answers the oldest command that is held; raises if none is.
function Held:answer(value)
  local number = table.remove(self.waiting, 1)
  if not number then error("no " .. self.command .. " is held", 2) end
  answer(self.world.core, number, value)
  return self.world:run()
end

function commands:script_of(words)
  local best
  for _, script in ipairs(self.scripts) do
    if begins_with(words, script.words) and (not best or #script.words > #best.words) then best = script end
  end
  return best
end

-- Answers what is new. True if anything was.
function commands:serve()
  local served = false
  for _, call in ipairs(self.core:commands(self.seen)) do
    self.seen = call.number
    served = self:serve_one(call) or served
  end
  return served
end

function commands:serve_one(call)
  local script = self:script_of(call.words)
  self.all[#self.all + 1] = call.words
  if not script then
    self.core:command_answer(call.number, "away")
    local name = table.concat(call.words, " ")
    if self.unscripted then return self.unscripted(name) end
    error(("the rules sent %s to Redis, which this spec does not script; world:redis(%q, ...)"):format(name, name), 0)
  end
  if script.held then
    script.held.count = script.held.count + 1
    table.insert(script.held.waiting, call.number)
    return false
  end
  if script.code then
    self.core:command_answer(call.number, script.code)
  else
    local value = script.answer
    if type(value) == "function" then value = value(call.words) end
    answer(self.core, call.number, value)
  end
  return true
end

function commands:sent(command)
  local first, found = command and words_of(command) or {}, {}
  for _, words in ipairs(self.all) do
    if begins_with(words, first) then found[#found + 1] = words end
  end
  return found
end

return commands
