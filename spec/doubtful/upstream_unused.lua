local app = require("sluice").app "doubtful"

local news = app:topic("news", { subscribe = false })

local feed = app:upstream("feed", {
  key     = function() return "all" end,
  request = function() return "http://127.0.0.1:9/events" end,
})
feed:on("article", function(ev) news():emit("article", ev.data) end)

app:stream("events", { path = "/events", topics = function() return news() end })

--> 5: app:upstream "feed" is in no stream's upstreams: no link of it ever opens, no handler of it runs; list it in a stream's upstreams
