local sluice = require "sluice"
local app = sluice.app "bad"
app:upstream("inbox", { key = function() end, request = function() end })
--> 3: app:upstream "inbox" is never finished: no handler; inbox:on(type, function(ev) ... end) adds one
