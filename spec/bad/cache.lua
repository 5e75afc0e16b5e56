local sluice = require "sluice"
local cache = require "sluice.cache"
local app = sluice.app "bad"
cache.new("names", { ttl = 0, load = print })
cache.new("names", { load = print, sise = 4 })
cache.new("other", { size = 0 })
app:topic("a", { subscribe = false })
--> 4: cache.new "names": 'ttl': expected seconds from 0.001 to 2592000, got 0
--> 5: cache.new "names": this name is taken, at spec/bad/cache.lua:4
--> 5: cache.new "names": unknown option 'sise'; did you mean 'size'?
--> 6: cache.new "other": 'load' is missing: expected a function(key) that returns the value
--> 6: cache.new "other": 'size': expected a whole number from 1 to 1000000, got 0
