local sluice = require "sluice"
local app = sluice.app "bad"
app:every("two words", { period = 1, run = function() end })
--> 3: app:every: expected a name (letters, digits, '_', '-', '.'), got "two words"
