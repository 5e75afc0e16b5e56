local sluice = require "sluice"
local app = sluice.app "bad"
app:stream("s", { path = "/s", identity = "session" })
sluice.identity "session"
--> 3: app:stream "s": 'identity': expected what sluice.identity gives, or a function(req), got "session"
--> 4: sluice.identity: expected a function(req), got "session"
