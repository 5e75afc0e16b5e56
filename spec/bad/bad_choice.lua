local sluice = require "sluice"
local app = sluice.app "bad"
app:stream("s", { path = "/s", suppress = "clients" })
--> 3: app:stream "s": 'suppress': expected one of "server", "client", false, got "clients"
