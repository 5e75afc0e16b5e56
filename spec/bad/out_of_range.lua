local sluice = require "sluice"
local app = sluice.app "bad"
app:every("beat", { period = -1, run = function() end })
--> 3: app:every "beat": 'period': expected seconds from 0.01 to 604800, got -1
