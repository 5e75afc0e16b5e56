local sluice = require "sluice"
local app = sluice.app "bad"
local key, request = function() end, function() end
app:upstream("one", { key = key, request = request }):on("*", function() end)
app:redis("one", { url = "redis://127.0.0.1", channel = "c" }):on("*", function() end)
app:ingest("two", { path = "/two", authorize = false }):on("*", function() end)
app:redis("two", { url = "redis://127.0.0.1", channel = "c" }):on("*", function() end)
app:redis("two", { url = "redis://127.0.0.1", channel = "d" }):on("*", function() end)
--> 5: the name "one" is taken already, at spec/bad/redis_names.lua:4
--> 7: the name "two" is taken already, at spec/bad/redis_names.lua:6
--> 8: the name "two" is taken already, at spec/bad/redis_names.lua:6
--> 8: redis "two" is declared already, at spec/bad/redis_names.lua:7
