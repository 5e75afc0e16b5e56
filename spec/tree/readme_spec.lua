-- The README's rule file and its spec are run as they stand.

local rig = require "sluice.rig"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The block of Lua whose first line is a comment that begins with the name.
local function block(name)
  for code in read("README.md"):gmatch "```lua\n(.-)```" do
    if code:find("-- " .. name, 1, true) == 1 then return code end
  end
  error("README.md has no block " .. name)
end

describe("the README", function()
  it("shows a rule file of twenty lines that loads, and a spec of it that passes", function()
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write(block "rules/news.lua")
    file:close()
    local run = {}
    local environment = setmetatable({
      assert = assert,
      describe = function(_, body) body() end,
      it = function(_, body) run[#run + 1] = body end,
      require = function(name)
        if name ~= "sluice.rig" then return require(name) end
        return { load = function() return rig.load(path) end }
      end,
    }, { __index = _G })
    setfenv(assert(loadstring(block "spec/news_spec.lua", "@README.md")), environment)()
    assert.equal(1, #run)
    for _, body in ipairs(run) do setfenv(body, environment)() end
    os.remove(path)
  end)
end)
