local app = require("sluice").app "doubtful"

local news = app:topic("news", { subscribe = false })

app:stream("events", { path = "/events", heartbeat = 0, topics = function() return news() end })

--> 5: app:stream "events" has no heartbeat: proxies cut it when it is quiet, and a client that vanished keeps its place; set heartbeat above 0
