--- The first library file that a VM runs: it gives the library its `require`, builds the environment of
-- rule files, runs the rule file and finishes what that declared. Called with `sluice.core`, the table of
-- the bindings; nothing but the library ever sees it.

local core = ...

local loaded = { ["sluice.core"] = core }
local load_file, scripts_dir = core.load_file, core.scripts_dir

--- The library's own require: files of scripts/, each run once.
function _G.require(name)
  local module = loaded[name]
  if module == nil then
    local path = name:gsub("%.", "/") .. ".lua"
    module = assert(load_file(scripts_dir .. "/" .. path, "=" .. path))()
    loaded[name] = module
  end
  return module
end

_G.package, _G.jit = nil, nil
setmetatable(_G, {
  __index    = function(_, name) error("the library uses the undeclared global '" .. name .. "'", 2) end,
  __newindex = function(_, name) error("the library assigns the global '" .. name .. "'", 2) end,
})

local sandbox = require "sluice.sandbox"
local app     = require "sluice.app"
require "sluice.subscribing"

math.randomseed(tonumber(core.token():sub(1, 8), 16))
sandbox.run(core.path)
app.finish()
