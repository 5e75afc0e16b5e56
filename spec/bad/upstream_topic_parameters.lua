local sluice = require "sluice"
local app = sluice.app "bad"
local room = app:topic "room:{house}:{room}"
local inbox = app:upstream("inbox", { key = function() end, request = function() end, topic = room })
inbox:on("*", function() end)
--> 4: upstream "inbox": its topic "room:{house}:{room}" has 2 parameters; expected one, which takes the key
