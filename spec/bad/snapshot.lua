local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("a", { snapshot = "state" })
app:topic("b", { retain = true, snapshot = function() return "state", "1" end })
app:topic("c", { snapshots = function() return "state", "1" end })
app:topic("d", { history = { snapshot = true } })
--> 3: app:topic "a": 'snapshot': expected a function, got "state"
--> 4: app:topic "b": 'snapshot' and 'retain' both say what a newcomer gets; keep one of them
--> 5: app:topic "c": unknown option 'snapshots'; did you mean 'snapshot'?
--> 6: app:topic "d".history: unknown option 'snapshot'; there are: size, ttl
