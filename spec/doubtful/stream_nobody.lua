local sluice = require "sluice"
local app = sluice.app "doubtful"

local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })

app:stream("events", { path = "/events", topics = function(req) return mine(req.query.user) end })

--> 6: app:stream "events" has no identity, and every topic is its owner's alone: a client without a user owns none; give it an identity
