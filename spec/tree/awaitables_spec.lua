-- Whatever parks a task has first been asked, by name, whether it may wait: so the table of phases knows every call
-- that waits, and spec/c/test_awaitables.c tries each.

local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

describe("the script border", function()
  it("parks no task that the table of phases was not asked about", function()
    local parks = 0
    for path in io.popen("ls core/script/*.c"):lines() do
      local text = assert(io.open(path)):read "*a"
      -- what a call has emitted waits when its function has returned (publishing.c): no call of a rule's
      if path ~= "core/script/task.c" and path ~= "core/script/publishing.c" then
        local here = count(text, "%Wtask_park%(")
        assert.equal(here, count(text, "phase_check%(L, CALL_WAIT, "), path)
        parks = parks + here
      end
    end
    assert.is_true(parks > 0)
  end)
end)
