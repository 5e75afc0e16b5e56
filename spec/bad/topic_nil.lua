local sluice = require "sluice"
local app = sluice.app "bad"
local mine = app:topic "user:{user}"
mine(nil)
--> 4: the topic 'user:{user}': {user} is nil, expected a text
