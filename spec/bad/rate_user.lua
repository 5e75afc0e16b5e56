local sluice = require "sluice"
local app = sluice.app "bad"

app:route("a", "GET /a", { run = function() return 204 end, rate = { rate = 5, per = "user" } })
--> 4: app:route "a".rate: it is per user, and there is no identity to say who that is
