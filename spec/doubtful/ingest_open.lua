local sluice = require "sluice"
local app = sluice.app "doubtful"

app:ingest("mutations", { path = "/publish", authorize = false }):on("*", function() end)

--> 4: app:ingest "mutations" has authorize = false: whoever reaches /publish publishes; give it a key, as authorize = sluice.bearer(...), unless only your own servers reach it
