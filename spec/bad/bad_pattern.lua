local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("user:{user")
--> 3: app:topic "user:{user":
