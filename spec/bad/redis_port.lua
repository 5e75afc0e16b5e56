local sluice = require "sluice"
local redis = require "sluice.redis"
local app = sluice.app "bad"
redis.connect "redis://127.0.0.1:bad"
app:redis("bus", { url = "redis://127.0.0.1:bad", channel = "c" }):on("message", function() end)
--> 5: app:redis "bus": a port is a number from 1 to 65535, and not "bad"
--> 4: redis.connect: a port is a number from 1 to 65535, and not "bad"
