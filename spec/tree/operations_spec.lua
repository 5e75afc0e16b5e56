-- docs/operations.md names what there is.

local tree = require "spec.support.tree"

describe("the page about operations", function()
  local page = tree.read "docs/operations.md"

  it("names metrics that are in the registry", function()
    local registry, count = tree.read "docs/metrics.md", 0
    for name in page:gmatch "`(sluice_[%l_]+)`" do
      count = count + 1
      assert.is_truthy(registry:find("`" .. name .. "[{`]"), name)
    end
    for name in page:gmatch "`(process_[%l_]+)`" do
      assert.is_truthy(registry:find("`" .. name .. "`", 1, true), name)
    end
    assert.is_true(count > 10)
  end)

  it("names pages of the admin listener, and all of its API", function()
    local admin = tree.read "core/server/admin.c"
    for path in page:gmatch "`%u* ?(/api/%l+)" do
      assert.is_truthy(admin:find('"' .. path .. '"', 1, true), path)
    end
    for path in admin:gmatch '"(/api/%l+)"' do assert.is_truthy(page:find(path, 1, true), path) end
  end)

  it("names config keys that there are", function()
    local keys = tree.read "docs/config.md"
    for _, name in ipairs { "drain_timeout", "drain_spread", "log_file", "admin_key", "heartbeat", "workers" } do
      assert.is_truthy(page:find("`" .. name .. "`", 1, true), name)
      assert.is_truthy(keys:find("## `" .. name .. "`", 1, true), name)
    end
  end)
end)
