local sluice = require "sluice"
local app = sluice.app "bad"

app:route("a", "GET /a", { run = function() return 204 end, rate = { rates = 5 } })
--> 4: app:route "a".rate: unknown option 'rates'; did you mean 'rate'?
--> 4: app:route "a".rate: 'rate' is missing: expected how many, such as 10
