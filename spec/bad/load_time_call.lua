local sluice = require "sluice"
local app = sluice.app "bad"
local http = require "sluice.http"
local mine = app:topic "user:{user}"
http.get "http://127.0.0.1/"
--> 5: http cannot be called in a rule file while it loads; it can in an identity function, a stream's topics, a topic's subscribe, a filter, an audience's ask, a topic's snapshot, an upstream's key, an upstream's request, an event handler, an ingest's authorize, an ingest's handler, a route, a timer, a stream's connect, a stream's disconnect, a topic's presence change
