--- Finds accidental globals when a file loads, in functions that have not run, too: a walk over the bytecode
-- for the two instructions that name a global.

local core = require "sluice.core"
local util = core.jit_util

local globals = {}

-- The numbers of the two instructions, from code that holds one of each.
local function opcode(text)
  local chunk = core.load(text, "=probe", {})
  for at = 1, 8 do
    local instruction = util.funcbc(chunk, at)
    if instruction and util.funck(chunk, -bit.rshift(instruction, 16) - 1) == "probed" then
      return bit.band(instruction, 0xff)
    end
  end
end

local GET, SET = opcode "return probed", opcode "probed = 1"

--- The sentence for a global that is read but not there.
function globals.unknown(name, env)
  local names = {}
  for known in pairs(env) do names[#names + 1] = known end
  local nearest = core.nearest(tostring(name), names)
  return ("unknown global '%s'%s"):format(tostring(name),
    nearest and ("; did you mean '" .. nearest .. "'?") or "; is a `local` missing, or a require?")
end

--- The sentence for a global that is assigned.
function globals.assigned(name)
  return ("assignment to the global '%s'; rule files have none: write `local %s`"):format(tostring(name),
    tostring(name))
end

local function walk(fn, env, found)
  local at, instruction = 1, util.funcbc(fn, 1)
  while instruction do
    local op = bit.band(instruction, 0xff)
    if op == GET or op == SET then
      local name = util.funck(fn, -bit.rshift(instruction, 16) - 1)
      local text = op == SET and globals.assigned(name)
        or rawget(env, name) == nil and globals.unknown(name, env)
      if text then found[#found + 1] = { line = util.funcinfo(fn, at).currentline, text = text } end
    end
    at = at + 1
    instruction = util.funcbc(fn, at)
  end
  for index = -1, -65536, -1 do
    local constant = util.funck(fn, index)
    if constant == nil then return end
    if type(constant) == "proto" then walk(constant, env, found) end
  end
end

--- Reports every accidental global of a chunk as a fault.
function globals.check(chunk, path, env)
  local found = {}
  walk(chunk, env, found)
  table.sort(found, function(a, b)
    if a.line ~= b.line then return a.line < b.line end
    return a.text < b.text
  end)
  for _, one in ipairs(found) do core.fault(("%s:%d: %s"):format(path, one.line, one.text)) end
end

return globals
