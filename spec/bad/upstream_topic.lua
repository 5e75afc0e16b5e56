local sluice = require "sluice"
local app = sluice.app "bad"
local room = app:topic "room:{house}:{room}"
local inbox = app:upstream("inbox", { key = function() end, request = function() end, topic = room })
inbox:on("*", function() end)
app:stream("s", { path = "/s", upstreams = { room } })
--> 6: app:stream "s": 'upstreams': expected a list of which each is what app:upstream gives, got number 1: a topic
