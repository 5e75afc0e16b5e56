-- The rule file of docs/client.md and what is said to come of it. Its page is run by spec/browser/shared.test.mjs.

local rules = require "spec.support.rules"
local tree  = require "spec.support.tree"

describe("docs/client.md", function()
  it("shows a rule file that does what it says", function()
    local page  = tree.read "docs/client.md"
    local file  = assert(page:match "\n```lua\n(.-)\n```")
    local run   = assert(page:match "\n```lua spec\n(.-)\n```")
    local world = rules.load_file(file)
    local chunk = assert(loadstring(run, "@docs/client.md"))
    setfenv(chunk, setmetatable({ world = world, assert = assert }, { __index = _G }))()
    world:close()
  end)
end)
