-- What tabs of the rig have seen, in the shapes that specs compare.

local json = require "cjson.safe"

local seen = {}

--- The data of all events of a type, oldest first.
function seen.data(tab, kind)
  local list = {}
  for _, event in ipairs(tab:events()) do
    if event.type == kind then list[#list + 1] = event.data end
  end
  return list
end

--- The same, decoded from JSON.
function seen.json(tab, kind)
  local list = {}
  for i, data in ipairs(seen.data(tab, kind)) do list[i] = assert(json.decode(data)) end
  return list
end

--- Its notices to re-read.
function seen.resyncs(tab) return seen.json(tab, "resync") end

--- Closes the world and asserts that no rule failed and nothing was left. A spec that makes a rule
-- fail takes that line out of the log itself: world:log().
function seen.close(world)
  local lines, errors = world:log()
  world:close()
  assert(errors == 0, lines)
end

return seen
