local sluice = require "sluice"
local redis = require "sluice.redis"
local app = sluice.app "bad"
redis.connect "http://127.0.0.1:6379"
redis.connect "redis://127.0.0.1:6379 "
redis.connect(6379)
--> 4: redis.connect: expected a url such as redis://127.0.0.1:6379/0 or unix:///run/redis.sock
--> 5: redis.connect: a url with a blank or control character
--> 6: redis.connect: expected a url, a text, got 6379
