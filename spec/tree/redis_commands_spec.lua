-- A node asks whether it may give all the commands that its scripts in Redis give, before it gives any.

local tree = require "spec.support.tree"

describe("the commands of the scripts in Redis", function()
  it("are those that enter.lua asks about", function()
    local asked, given = {}, {}
    local list = tree.read("core/cluster/enter.lua"):match "COMMANDS = %[%[(.-)%]%]"
    for command in list:gmatch "%u+|?%u*" do asked[command:match "%u+"] = true end
    for _, path in ipairs(tree.files("core/cluster", { lua = true })) do
      for command in tree.read(path):gmatch 'redis%.call%s*%(?%s*"(%u+)"' do given[command] = true end
    end
    assert.is_true(given.XADD and given.PUBSUB and given.HSETNX)
    assert.same(given, asked)
  end)
end)
