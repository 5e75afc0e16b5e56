--- Node's EventSource (npm's package `eventsource`) as a client, which reconnects by itself.

local cjson = require "cjson.safe"
local proc  = require "spec.support.proc"
local wait  = require "spec.support.wait"

local eventsource = {}
local source = {}
source.__index = source

--- Opens `path` ("/events") and listens to `types`, a list. Returns an object whose `pull()` reads what came into
-- `events`, and `states`, a list of "open", "lost" and "closed" in order. `authorization`: a header of that name.
function eventsource.open(address, types, path, authorization)
  local script = "spec/support/eventsource.mjs"
  local url = ("http://%s%s"):format(address, path or "/events")
  local process = proc.spawn({ "node", script, url, unpack(types) },
    { env = { LD_PRELOAD = false, AUTHORIZATION = authorization or false } })
  return setmetatable({ events = {}, states = {}, _process = process, _read = 0 }, source)
end

function source:pull()
  local text = self._process:output()
  local stop = text:match ".*()\n" or 0
  for line in text:sub(self._read + 1, stop):gmatch "[^\n]+" do
    local item = assert(cjson.decode(line), line)
    table.insert(item.state and self.states or self.events, item.state or item)
  end
  self._read = stop
end

--- Waits until `count` events of `type` have come; returns the data of all of them.
function source:wait_count(type, count, timeout)
  local data
  wait.wait_until(function()
    self:pull()
    data = {}
    for _, event in ipairs(self.events) do
      if event.type == type then data[#data + 1] = event.data end
    end
    return #data >= count
  end, timeout or 10, ("%d events %s, having %s"):format(count, type, self._process:output()))
  return data
end

--- How often it was in the state `name`.
function source:state_count(name)
  self:pull()
  local count = 0
  for _, state in ipairs(self.states) do
    if state == name then count = count + 1 end
  end
  return count
end

return eventsource
