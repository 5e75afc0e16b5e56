local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a", { run = function() end, wibble = 1 })
--> 3: app:route "a": unknown option 'wibble'; there are: about, identity, origins, rate, run
