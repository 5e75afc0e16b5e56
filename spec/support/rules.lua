--- Rule files that stand in the spec itself.

local rig = require "sluice.rig"

local rules = {}

-- Before the text: what nearly every rule file begins with, on one line, so that line 2 is the text's first.
local HEAD = [[local sluice = require "sluice" local app = sluice.app "demo" ]]

--- A world that runs this text as it is; in messages the file is called rules.lua.
-- @param options of rig.load
function rules.load_file(text, options)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder) == 0)
  local path = folder .. "/rules.lua"
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local good, world = pcall(rig.load, path, options)
  os.execute("rm -r " .. folder)
  if not good then error(world, 2) end
  return world
end

--- The same behind a head that declares `sluice` and `app`, so that the text's first line is 2.
function rules.load(text, options)
  return rules.load_file(HEAD .. "\n" .. text, options)
end

--- A world with one route, POST /run, of which this is the body; `req` is there, and what `before` declares.
function rules.route(body, before, options)
  return rules.load((before or "") .. "\napp:route('run', 'POST /run', { run = function(req)\n" .. body .. "\nend })",
    options)
end

return rules
