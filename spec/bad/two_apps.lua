local sluice = require "sluice"
local app = sluice.app "bad"
sluice.app "other"
--> 3: sluice.app: this file has declared an app already; one file, one app
