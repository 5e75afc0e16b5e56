local sluice = require "sluice"
local app = sluice.app "doubtful"

local all = app:topic("all", { subscribe = false, presence = {} })

app:stream("events", { path = "/events", topics = function() return all() end })

--> 4: app:topic "all" has presence, and no stream has an identity: a client without a user is nobody who could be there, so nobody ever is; give the stream an identity
