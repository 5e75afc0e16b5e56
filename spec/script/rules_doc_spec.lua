-- Runs every example of docs/rules.md: each ```lua block as a rule file (behind the page's own head, unless it
-- declares an app itself), each ```lua spec block on the world of the block before it. And what the library
-- has, the page names.

local rules = require "spec.support.rules"
local tree  = require "spec.support.tree"

local PAGE = "docs/rules.md"

-- { kind, text, line } of each fenced block.
local function blocks()
  local found, kind, lines, line, began = {}, nil, nil, 0, 0
  for text in (tree.read(PAGE) .. "\n"):gmatch "([^\n]*)\n" do
    line = line + 1
    if kind and text == "```" then
      found[#found + 1] = { kind = kind, text = table.concat(lines, "\n"), line = began }
      kind = nil
    elseif kind then
      lines[#lines + 1] = text
    elseif text:sub(1, 3) == "```" then
      kind, lines, began = text:sub(4), {}, line
    end
  end
  return found
end

describe("docs/rules.md", function()
  local all, head, world = blocks(), nil, nil

  local function close()
    if world then world:close() end
    world = nil
  end

  after_each(close)

  local function load(block)
    local text = block.text:find "sluice%.app " and block.text or head .. "\n" .. block.text
    world = rules.load_file(text, { slice = 0.1 }) -- the config's default
  end

  for i, block in ipairs(all) do
    if block.kind == "lua head" then head = block.text end
    if block.kind == "lua" or block.kind == "lua head" then
      local following = all[i + 1]
      local run = following and following.kind == "lua spec" and following
      it(("line %d loads%s"):format(block.line, run and " and does what it says" or ""), function()
        if block.kind == "lua head" then
          world = rules.load_file(block.text)
        else
          load(block)
        end
        if not run then return end
        local chunk = assert(loadstring(run.text, "@" .. PAGE .. ":" .. run.line))
        setfenv(chunk, setmetatable({ world = world, assert = assert }, { __index = _G }))()
      end)
    end
  end

  it("names every function of the library", function()
    local page = tree.read(PAGE)
    for _, module in ipairs { "http", "json", "log", "redis", "store", "tags", "time" } do
      local text = tree.read("scripts/sluice/" .. module .. ".lua")
      for name in text:gmatch("\n%s*function " .. module .. "%.([%w_]+)") do
        assert.truthy(page:find(module .. "." .. name, 1, true), module .. "." .. name)
      end
    end
    for name in tree.read("scripts/sluice/app.lua"):gmatch "\nfunction App%.([%w_]+)" do
      assert.truthy(page:find("app:" .. name, 1, true), "app:" .. name)
    end
    for name in tree.read("scripts/sluice/presence.lua"):gmatch "\nfunction Presence:([%w_]+)" do
      assert.truthy(page:find("`:" .. name .. "(", 1, true), "presence:" .. name)
    end
    for name in tree.read("scripts/sluice/cache.lua"):gmatch "\nfunction Cache:([%w_]+)" do
      assert.truthy(page:find("names:" .. name .. "(", 1, true), "cache:" .. name)
    end
    for name in tree.read("scripts/sluice/watermark.lua"):gmatch "\nfunction Watermark:([%w_]+)" do
      assert.truthy(page:find("read:" .. name, 1, true), "read:" .. name)
    end
    for name in tree.read("scripts/sluice.lua"):gmatch "\nfunction sluice%.([%w_]+)" do
      assert.truthy(page:find("sluice." .. name, 1, true), "sluice." .. name)
    end
  end)

  it("names every option, field and method", function()
    local page = tree.read(PAGE)
    for _, path in ipairs(tree.files("scripts/sluice", { lua = true })) do
      local shapes = path:find "declare_" and tree.read(path) or ""
      for name in shapes:gmatch "\n  ([%w_]+)%s*= {" do
        assert.truthy(page:find("`" .. name .. "`", 1, true) or page:find(name .. " =", 1, true), path .. ": " .. name)
      end
    end
    for _, noun in ipairs { "request", "event", "seat", "topic" } do
      local members = tree.read("core/script/bind_" .. noun .. ".c")
      for name in members:gmatch '{"([%w_]+)", [%w_]+, [%w_]+}' do
        assert.truthy(page:find("[`.:]" .. name .. "[`(]"), noun .. ": " .. name)
      end
    end
  end)
end)
