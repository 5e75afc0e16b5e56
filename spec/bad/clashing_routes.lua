local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a/{x}", { run = function() end })
app:route("b", "GET /a/{y}", { run = function() end })
--> 4: GET /a/{y} ("b") clashes with "a" at spec/bad/clashing_routes.lua:3
