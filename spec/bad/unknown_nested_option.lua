local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("user:{user}", { history = { size = 1, tttl = 4 } })
--> 3: app:topic "user:{user}".history: unknown option 'tttl'; did you mean 'ttl'?
