local sluice = require "sluice"
local app = sluice.app "bad"
local mine = app:topic "user:{user}"
local one = app:redis("one", { url = "redis://a", channel = "c", pattern = "p*", topics = { mine, "user:ann" } })
one:on("mesage", function() end)
local two = app:redis("two", { url = "redis:/a", topic = mine })
two:on("*", function() end)
app:redis("three", { url = "redis://a", channel = "c", topics = mine, queue = 0 })
--> 4: app:redis "one": 'topics': expected what app:topic gives, or a list of those, got a table
--> 4: app:redis "one": expected channel = "..." or pattern = "...", got both
--> 5: one:on: unknown 'mesage'; there are: *, message
--> 6: app:redis "two": unknown option 'topic'; did you mean 'topics'?
--> 6: app:redis "two": expected channel = "..." or pattern = "...", got neither
--> 6: app:redis "two": expected a url such as redis://127.0.0.1:6379/0 or unix:///run/redis.sock
--> 8: app:redis "three": 'queue': expected a whole number from 1 to 100000, got 0
--> 4: app:redis "one" is never finished: no handler; one:on(type, function(ev) ... end) adds one
--> 8: app:redis "three" is never finished: no handler; three:on(type, function(ev) ... end) adds one
