local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("board.{project}", { audience = { ttl = 10, keys = function() end } })
app:topic("other", { audience = { ask = function() end, ttl = -1 } })
app:topic("third", { audience = "everybody" })
--> 3: app:topic "board.{project}".audience: unknown option 'keys'; did you mean 'key'?
--> 3: app:topic "board.{project}".audience: 'ask' is missing: expected a function(key, users)
--> 4: app:topic "other".audience: 'ttl': expected seconds from 0 to 3600, got -1
--> 5: app:topic "third".audience: expected a table of options, got "everybody"
--> 5: app:topic "third".audience: 'ask' is missing: expected a function(key, users)
