local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("a", { retain = 5, limit = { burst = 3 } })
app:topic("b", { retain = { tll = 3 }, limit = true })
app:topic("c", { limit = { rate = 0, bust = 1 } })
--> 3: app:topic "a".limit: 'rate' is missing: expected triggers a second, such as 50
--> 3: app:topic "a".retain: expected a table of options, got 5
--> 4: app:topic "b".limit: expected a table of options, got true
--> 4: app:topic "b".limit: 'rate' is missing: expected triggers a second, such as 50
--> 4: app:topic "b".retain: unknown option 'tll'; did you mean 'ttl'?
--> 5: app:topic "c".limit: unknown option 'bust'; did you mean 'burst'?
--> 5: app:topic "c".limit: 'rate': expected a whole number from 1 to 1000000, got 0
