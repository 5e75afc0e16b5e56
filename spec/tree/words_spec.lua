local tree = require "spec.support.tree"

local SOURCES = { c = true, h = true, lua = true, js = true, mjs = true, html = true, css = true }
local FOLDERS = { "core", "scripts", "rules", "client", "examples", "bench" }
local UNFINISHED = { "TODO", "FIXME", "XXX", "HACK", "unimplemented", "not implemented" }

-- The unfinished work that a text admits to, as "word (line N)".
local function admissions(text)
  local found, number = {}, 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    for _, word in ipairs(UNFINISHED) do
      if line:find("%f[%w]" .. word .. "%f[%W]") then found[#found + 1] = ("%s (line %d)"):format(word, number) end
    end
  end
  return found
end

describe("the sources", function()
  it("admit to no unfinished work: that belongs in the tracker", function()
    local found = {}
    for _, folder in ipairs(FOLDERS) do
      for _, path in ipairs(tree.files(folder, SOURCES)) do
        for _, admission in ipairs(admissions(tree.read(path))) do found[#found + 1] = path .. ": " .. admission end
      end
    end
    assert.same({}, found)
  end)

  it("would be caught", function()
    assert.same({ "TODO (line 2)" }, admissions "int x;\n/* TODO: y */\nint TODOS, HACKED;\n")
  end)
end)
