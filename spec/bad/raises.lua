local sluice = require "sluice"
local app = sluice.app "bad"
local t = nil
return t.x
--> 4: attempt to index local 't' (a nil value)
