local sluice = require "sluice"
local app = sluice.app "bad"

app:limit("a", { rate = 0.5 }) app:limit("a", { rate = 1 })
--> 4: app:limit "a": 'rate': expected a whole number from 1 to 1000000, got 0.5
--> 4: app:limit "a": there is one of this name already, at spec/bad/limit.lua:4
