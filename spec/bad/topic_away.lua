local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("a", { away = "locally" })
app:topic("b", { away = true })
--> 3: app:topic "a": 'away': expected one of "refuse", "local", got "locally"
--> 4: app:topic "b": 'away': expected one of "refuse", "local", got true
