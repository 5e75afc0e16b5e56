local sluice = require "sluice"
local app = sluice.app "bad"
app:ingest("d", { path = "/d", authorize = false })
--> 3: app:ingest "d" is never finished: no handler; d:on(type, function(ev) ... end) adds one
