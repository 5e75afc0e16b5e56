local app = require("sluice").app "doubtful"

local news = app:topic "news"

app:stream("events", { path = "/events", topics = function() return news() end })

--> 3: app:topic "news" has no subscribe: whoever asks for it by ?topic= is refused; give it a function, or say subscribe = false if a stream's topics alone give it
