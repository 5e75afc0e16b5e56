local sluice = require "sluice"
local app = sluice.app "bad"
local file = io.open "/etc/passwd"
--> 3: unknown global 'io'
