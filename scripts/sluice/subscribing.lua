--- sub:subscribe(topic): asks the topic's `subscribe` for a stream that lives, and so may wait.

local core = require "sluice.core"

core.seat_method(function(sub, topic)
  core.seat_subscribe(sub, topic)
  return core.collect()
end)
