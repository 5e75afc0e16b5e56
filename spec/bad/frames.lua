local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("a", { id = "mine", wrap = "json" })
app:stream("events", { path = "/events", ready = "headers", earliest = "yes", heartbeat = { evry = 3, event = "" } })
--> 3: app:topic "a": 'id': expected one of "cursor", "publisher", got "mine"
--> 3: app:topic "a": 'wrap': expected a function, got "json"
--> 4: app:stream "events": 'earliest': expected true or false, got "yes"
--> 4: app:stream "events".heartbeat: unknown option 'evry'; did you mean 'every'?
--> 4: app:stream "events".heartbeat: 'event': expected a text, got ""
--> 4: app:stream "events": 'ready': expected one of "event", "header", got "headers"
