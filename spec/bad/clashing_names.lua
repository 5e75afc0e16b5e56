local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a", { run = function() end })
app:stream("a", { path = "/b" })
--> 3: the name "a" is taken already, at spec/bad/clashing_names.lua:4
