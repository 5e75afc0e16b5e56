local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("a", { id = "mine", wrap = "json" })
app:stream("other", { path = "/other", query = { topic = "a b", last_event_id = { "id", 7 }, topics = false } })
app:stream("events", { path = "/events", ready = "headers", earliest = "yes", heartbeat = { evry = 3, event = "" } })
--> 3: app:topic "a": 'id': expected one of "cursor", "publisher", got "mine"
--> 3: app:topic "a": 'wrap': expected a function, got "json"
--> 4: app:stream "other".query: unknown option 'topics'; did you mean 'topic'?
--> 4: app:stream "other".query: 'last_event_id': expected a parameter's name (letters, digits, "_-.~"), a list of them, or false, got a table
--> 4: app:stream "other".query: 'topic': expected a parameter's name (letters, digits, "_-.~"), a list of them, or false, got "a b"
--> 5: app:stream "events": 'earliest': expected true or false, got "yes"
--> 5: app:stream "events".heartbeat: unknown option 'evry'; did you mean 'every'?
--> 5: app:stream "events".heartbeat: 'event': expected a text, got ""
--> 5: app:stream "events": 'ready': expected one of "event", "header", got "headers"
