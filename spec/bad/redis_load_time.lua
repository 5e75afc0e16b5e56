local sluice = require "sluice"
local redis = require "sluice.redis"
local app = sluice.app "bad"
local db = redis.connect "redis://127.0.0.1:6379"
db:get "k"
--> 5: redis cannot be called in a rule file while it loads; it can in an identity function, a stream's topics, a topic's subscribe, a filter, an audience's ask, a topic's snapshot, an upstream's key, an upstream's request, an event handler, an ingest's authorize, an ingest's handler, a route, a timer, a stream's connect, a stream's disconnect, a topic's presence change
