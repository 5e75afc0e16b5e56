local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a", { rum = function() end })
app:every("b", { period = 1 })
--> 3: app:route "a": unknown option 'rum'; did you mean 'run'?
--> 3: app:route "a": 'run' is missing: expected a function(req, params) that returns an answer
--> 4: app:every "b": 'run' is missing: expected a function()
