--- What the library itself wants to know of streams that begin and end, before the rules do.

local schema = require "sluice.schema"

local watchers = {}

local connected, disconnected = {}, {}

--- Calls `run(sub)` for every stream that begins, `left(sub)` for every one that has ended. At load only.
function watchers.add(run, left)
  connected[#connected + 1], disconnected[#disconnected + 1] = run, left
end

local function join(list, run)
  if #list == 0 then return run end
  return function(sub, reason)
    for _, watch in ipairs(list) do watch(sub) end
    if run then return run(sub, reason) end
  end
end

-- A rule in quarantine does not keep the watchers from what they want to know.
local function declare(list, run, what)
  local own = run and #list > 0 and schema.hook(join(list), "the library's part of " .. what) or nil
  return schema.hook(join(list, run), what, run, own)
end

--- The number of the hook that a stream gets: the watchers, then the rule's own; 0 if there is nothing to call.
function watchers.connect(run, what) return declare(connected, run, what) end
function watchers.disconnect(run, what) return declare(disconnected, run, what) end

return watchers
