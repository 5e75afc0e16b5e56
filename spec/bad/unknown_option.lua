local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("user:{user}", { histroy = { size = 1 } })
--> 3: app:topic "user:{user}": unknown option 'histroy'; did you mean 'history'?
