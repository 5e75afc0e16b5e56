local sluice = require "sluice"
local app = sluice.app "bad"
app:stream("s", {})
app:route("r", "GET /r")
--> 3: app:stream "s": 'path' is missing: expected a path such as "/events"
--> 4: app:route "r": 'run' is missing: expected a function(req, params) that returns an answer
