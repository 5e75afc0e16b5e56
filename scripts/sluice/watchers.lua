--- What the library itself wants to know of streams that begin and end, before the rules do.

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

--- The hook that a stream gets: the watchers, then the rule's own; nil if there is nothing to call.
function watchers.connect(run) return join(connected, run) end
function watchers.disconnect(run) return join(disconnected, run) end

return watchers
