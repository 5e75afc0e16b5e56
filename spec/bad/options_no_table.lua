local sluice = require "sluice"
local app = sluice.app "bad"
app:stream("s", "/events")
--> 3: app:stream "s": expected a table of options, got "/events"
--> 3: app:stream "s": 'path' is missing: expected a path such as "/events"
