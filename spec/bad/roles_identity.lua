local sluice = require "sluice"
sluice.app "bad"
sluice.roles({ "viewer" }):at_least("viewer", "session")
--> 3: roles:at_least: expected what sluice.identity gives, or a function(req), got "session"
