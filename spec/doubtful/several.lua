local sluice = require "sluice"
local app = sluice.app "doubtful"

local news = app:topic("news", { history = { size = 1 } })
local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })

app:stream("events", { path = "/events", heartbeat = 0, topics = function() return news() end })
app:route("hello", "POST /hello/{user}", { run = function(_, params) mine(params.user):emit "hello" return 204 end })

--> 4: app:topic "news" has no subscribe: whoever asks for it by ?topic= is refused; give it a function, or say subscribe = false if a stream's topics alone give it
--> 4: app:topic "news" has a history of 1, and stream "events" lets 256 triggers wait for a slow client: one that is cut in a burst gets a resync instead of a replay; set history.size to 256 or more
--> 7: app:stream "events" has no heartbeat: proxies cut it when it is quiet, and a client that vanished keeps its place; set heartbeat above 0
