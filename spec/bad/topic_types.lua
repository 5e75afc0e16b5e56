local sluice = require "sluice"
local app = sluice.app "demo"
app:topic("a", { types = { "card.moved" } })
app:topic("b", { types = { ["card.moved"] = { abut = "a card" } } })
app:topic("c", { types = { ["card.moved"] = { fields = { id = 7, "name" } } } })
app:topic("d", { types = { ["card.moved"] = { data = "a text", fields = { id = "the card" } } } })
app:topic("e", { types = { ["card.moved"] = "a card" } })
app:topic("f", { types = { ["card\nmoved"] = {} }, about = "" })
local many = {}
for i = 1, 201 do many["t" .. i] = {} end
app:topic("g", { types = many })
app:topic("h", { about = ("x"):rep(4001) })
app:stream("events", { path = "/events", about = 7 })
app:route("r", "GET /r", { run = function() end, about = {} })
--> 3: app:topic "a".types: expected ["a.type"] = ..., got [1] = "card.moved"
--> 4: app:topic "b".types["card.moved"]: unknown option 'abut'; did you mean 'about'?
--> 5: app:topic "c".types["card.moved"].fields: expected ["field"] = ..., got [1] = "name"
--> 5: app:topic "c".types["card.moved"].fields.id: expected a text for people, of 4000 bytes at most, got 7
--> 6: app:topic "d".types["card.moved"]: 'data' is for what has no fields, and it has 'fields'
--> 7: app:topic "e".types["card.moved"]: expected a table of options, got "a card"
--> 8: app:topic "f": 'about': expected a text for people, of 4000 bytes at most, got ""
--> 8: app:topic "f".types: expected ["a.type"] = ..., got ["card\nmoved"] = a table
--> 11: app:topic "g".types: there are 201, 200 at most
--> 12: app:topic "h": 'about': expected a text for people, of 4000 bytes at most, got "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
--> 13: app:stream "events": 'about': expected a text for people, of 4000 bytes at most, got 7
--> 14: app:route "r": 'about': expected a text for people, of 4000 bytes at most, got a table
