local sluice = require "sluice"
local app = sluice.app "bad"
local watermark = require "sluice.watermark"
watermark.new(app, "read", { wiat = 1 })
--> 4: watermark.new "read": unknown option 'wiat'; did you mean 'wait'?
--> 4: watermark.new "read": 'post' is missing: expected a function(user, data, peer, row) that raises when it fails
