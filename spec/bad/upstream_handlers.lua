local sluice = require "sluice"
local app = sluice.app "bad"
local inbox = app:upstream("inbox", { key = function() end, request = function() end })
inbox:on("a", function() end)
inbox:on({ "b", "a" }, function() end)
inbox:on("@opened", function() end)
inbox:on("c", "d")
inbox:on(7, function() end)
--> 5: inbox:on: 'a' has a handler already, at spec/bad/upstream_handlers.lua:4
--> 6: inbox:on: unknown '@opened'; did you mean '@open'?
--> 7: inbox:on: expected a function(ev), got "d"
--> 8: inbox:on: expected an event type, got 7
