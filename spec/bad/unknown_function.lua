local sluice = require "sluice"
local app = sluice.app "bad"
sluice.idendity(function() end)
--> 3: sluice has no 'idendity'; did you mean 'identity'?
