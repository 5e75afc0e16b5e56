local sluice = require "sluice"
local app = sluice.app "bad"
app:steam("s", {})
--> 3: an app has no 'steam'; did you mean 'stream'?
