local sluice = require "sluice"
local app = sluice.app "bad"
local a = app:ingest("a", { path = "/a" })
a:on("x", function() end)
local b = app:ingest("b", { path = "/b", authorize = "key", batch_maximum = 3 })
b:on("x", function() end)
b:on("x", function() end)
b:on("y", "fn")
app:ingest("c", { path = "/c/{hole}", authorize = false }):on("*", function() end)
app:ingest("d", { path = "/d", authorize = false, users = "any" })
local up = app:upstream("e", { key = function() end, request = function() end })
up:on("*", function() end)
app:ingest("e", { path = "/a", authorize = false }):on("*", function() end)
app:ingest("f", { path = "no path", authorize = false }):on("*", function() end)
sluice.bearer ""
--> 3: app:ingest "a": 'authorize' is missing: expected sluice.bearer(key), a function(req), or false: anybody
--> 5: app:ingest "b": unknown option 'batch_maximum'; did you mean 'batch_max'?
--> 5: app:ingest "b": 'authorize': expected what sluice.bearer or sluice.identity gives, a function(req), or false, got "key"
--> 7: b:on: 'x' has a handler already, at spec/bad/ingest.lua:6
--> 8: b:on: expected a function(ev), got "fn"
--> 10: app:ingest "d": users = "any" lets anybody say whose an event is, as authorize is false; give it a key
--> 14: app:ingest "f":
--> 15: sluice.bearer: expected a key, a text, got one that is empty or has lines
