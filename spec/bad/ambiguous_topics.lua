local sluice = require "sluice"
local app = sluice.app "bad"
app:topic "a:{x}"
app:topic "{y}:a"
--> 4: topics "{y}:a" and "a:{x}" (spec/bad/ambiguous_topics.lua:3) are equally literal and one name can match both; make one of them more literal
