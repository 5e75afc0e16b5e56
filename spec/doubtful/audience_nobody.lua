local sluice = require "sluice"
local app = sluice.app "doubtful"

local all = app:topic("all", { subscribe = false, audience = { ask = function(_, users) return users end } })

app:stream("events", { path = "/events", topics = function() return all() end })

--> 4: app:topic "all" has an audience, and no stream has an identity: a client without a user is in no audience, so nobody gets its triggers; give the stream an identity
