local sluice = require "sluice"
sluice.app "bad"
sluice.roles { "viewer", "viewer" }
--> 3: sluice.roles: expected a list of different names, the lowest role first, got a table
