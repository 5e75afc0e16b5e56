local sluice = require "sluice"
local app = sluice.app "bad"

app:ingest("a", { path = "/a", authorize = false, rate = { rate = 5, per = "user" } }):on("x", function() end)
--> 4: app:ingest "a".rate: unknown option 'per'; there are: burst, rate, seconds
