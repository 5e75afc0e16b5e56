local sluice = require "sluice"
local app = sluice.app "bad"
app:topic("a:{id}", { presence = { grace = 5, beats = 30 } })
app:topic("b:{id}", { presence = true })
app:topic("c:{id}", { presence = { change = "emit", grace = -1, beat = 0.5 } })
local d = app:topic "d:{id}"
app:presence(d(1))
--> 3: app:topic "a:{id}".presence: unknown option 'beats'; did you mean 'beat'?
--> 4: app:topic "b:{id}".presence: expected a table of options, got true
--> 5: app:topic "c:{id}".presence: 'beat': expected seconds from 1 to 86400, got 0.5
--> 5: app:topic "c:{id}".presence: 'change': expected a function, got "emit"
--> 5: app:topic "c:{id}".presence: 'grace': expected seconds from 0 to 3600, got -1
--> 7: app:presence: no app:topic declares 'd:1' with presence
