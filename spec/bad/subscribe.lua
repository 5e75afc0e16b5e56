local app = require("sluice").app "bad"
app:topic("all", { subscribe = true })

--> 2: app:topic "all": 'subscribe': expected a function, or false, got true
