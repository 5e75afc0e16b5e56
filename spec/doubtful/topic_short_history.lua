local sluice = require "sluice"
local app = sluice.app "doubtful"

local news = app:topic("news", { subscribe = false, history = { size = 64, ttl = 60 } })
local rare = app:topic("rare", { subscribe = false, history = { size = 100 } })

app:stream("events", { path = "/events", topics = function() return { news(), rare() } end,
  queue = { frames = 500, bytes = 1048576 } })
app:stream("narrow", { path = "/narrow", topics = function() return { news(), rare() } end,
  queue = { frames = 100, bytes = 1048576 } })

--> 4: app:topic "news" has a history of 64, and stream "narrow" lets 100 triggers wait for a slow client: one that is cut in a burst gets a resync instead of a replay; set history.size to 100 or more
