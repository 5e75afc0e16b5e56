local sluice = require "sluice"
local app = sluice.app "bad"
local me = sluice.identity(function() return { user = "a" } end)
app:stream("s", { path = "/s", identity = me, origins = { "*" } })
--> 4: "s": the origin "*" cannot go with an identity; list exact origins
