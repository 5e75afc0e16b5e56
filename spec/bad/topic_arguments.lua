local sluice = require "sluice"
local app = sluice.app "bad"
local mine = app:topic "user:{user}"
mine()
--> 4: the topic 'user:{user}' takes 1 value, got 0
