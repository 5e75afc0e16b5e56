local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a" { run = 1 })
local = 3
--> 3: ')' expected near '{'
