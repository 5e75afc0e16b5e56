local sluice = require "sluice"
local app = sluice.app "bad"
local mine = app:topic "user:{user}"
mine("ann"):emit("hello", "now")
--> 4: emit cannot be called in a rule file while it loads; it can in an event handler, an ingest's handler, a route, a timer, a stream's connect, a stream's disconnect, a topic's presence change
