--- Rule files that stand in the spec itself.

local rig = require "sluice.rig"

local rules = {}

-- Before the text: what nearly every rule file begins with, on one line, so that line 2 is the text's first.
local HEAD = [[local sluice = require "sluice" local app = sluice.app "demo" ]]

--- Calls run(path) with a file of this text, which is called rules.lua. What it raises is passed on.
function rules.with_file(text, run)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder) == 0)
  local path = folder .. "/rules.lua"
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local good, result = pcall(run, path)
  os.execute("rm -r " .. folder)
  if not good then error(result, 3) end
  return result
end

--- A world that runs this text as it is; in messages the file is called rules.lua.
-- @param options of rig.load
function rules.load_file(text, options)
  return rules.with_file(text, function(path) return rig.load(path, options) end)
end

--- The text behind a head that declares `sluice` and `app`, so that its first line is 2.
function rules.head(text) return HEAD .. "\n" .. text end

--- A world that runs these rules, behind that head.
function rules.load(text, options)
  return rules.load_file(rules.head(text), options)
end

--- Puts these rules, behind that head, in the place of those that the world runs.
function rules.reload(world, text)
  return rules.with_file(rules.head(text), function(path) return world:reload(path) end)
end

--- The same with this text as it is.
function rules.reload_file(world, text)
  return rules.with_file(text, function(path) return world:reload(path) end)
end

--- A world with one route, POST /run, of which this is the body; `req` is there, and what `before` declares.
function rules.route(body, before, options)
  return rules.load((before or "") .. "\napp:route('run', 'POST /run', { run = function(req)\n" .. body .. "\nend })",
    options)
end

return rules
