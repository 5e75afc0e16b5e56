local sluice = require "sluice"
local app = sluice.app "bad"
local url = sluice.env "A_VARIABLE_THAT_NOBODY_SETS"
--> 3: sluice.env: A_VARIABLE_THAT_NOBODY_SETS is not set, and no default is given; set it where sluice is started
