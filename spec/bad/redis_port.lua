local sluice = require "sluice"
local redis = require "sluice.redis"
local app = sluice.app "bad"
redis.connect "redis://127.0.0.1:bad"
--> 4: redis.connect: the port of "redis://127.0.0.1:bad" is no number
