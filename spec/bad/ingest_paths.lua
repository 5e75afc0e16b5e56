local sluice = require "sluice"
local app = sluice.app "bad"
local up = app:upstream("e", { key = function() end, request = function() end })
up:on("*", function() end)
app:ingest("e", { path = "/a", authorize = false }):on("*", function() end)
app:ingest("c", { path = "/c/{hole}", authorize = false }):on("*", function() end)
app:route("r", "POST /a", { run = function() return 204 end })
--> 5: POST /a ("e") clashes with "r" at spec/bad/ingest_paths.lua:7
--> 5: the name "e" is taken already, at spec/bad/ingest_paths.lua:3
--> 6: ingest "c": its path /c/{hole} has a parameter
