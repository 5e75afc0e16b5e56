--- What gives a stream that lives a topic, and so may wait. sub:subscribe(topic) asks the topic's `subscribe`;
-- sub:join(topic) asks nobody, and waits only where nodes share a Redis and the topic has to be loaded.

local core = require "sluice.core"

local function subscribe(sub, topic)
  core.seat_subscribe(sub, topic)
  return core.collect()
end

-- Nothing at all came: it waited.
local function settled(...)
  if select("#", ...) == 0 then return core.collect() end
  return ...
end

core.seat_methods(subscribe, function(sub, topic) return settled(core.seat_join(sub, topic)) end)
