-- Every file in spec/bad/ is a rule file with something wrong in it, and says at its end what a start must say
-- of it: lines `--> LINE: sentence`, in order. A sentence that ends in ':' may go on.

local rig  = require "sluice.rig"
local tree = require "spec.support.tree"

describe("a rule file that is wrong", function()
  local files = tree.files("spec/bad", { lua = true })

  it("is one of many", function() assert.is_true(#files > 30) end)

  for _, path in ipairs(files) do
    it("says so: " .. path:match "([%w_]+)%.lua$", function()
      local text = tree.read(path)
      local expected = {}
      for line in text:gmatch "\n%-%-> ([^\n]+)" do expected[#expected + 1] = path .. ":" .. line end
      assert.is_true(#expected > 0)
      local good, errors = pcall(rig.load, path)
      assert.is_false(good)
      local said = {}
      for line in (errors .. "\n"):gmatch "([^\n]*)\n" do said[#said + 1] = line end
      for i, line in ipairs(said) do
        local want = expected[i] or "nothing"
        if want:sub(-1) == ":" or want:find "global 'io'$" then said[i] = line:sub(1, #want) end
      end
      assert.same(expected, said)
    end)
  end
end)
