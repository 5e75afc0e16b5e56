local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("user:{user}", { history = { size = "many" }, filter = 7 })
--> 3: app:topic "user:{user}": 'filter': expected a function, got 7
--> 3: app:topic "user:{user}".history: 'size': expected a whole number from 1 to 100000, got "many"
