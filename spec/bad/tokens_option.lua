local sluice = require "sluice"
local app = sluice.app "bad"
local jwt = require "sluice.jwt"
local who = jwt.identity { audience = "bad" }
--> 4: jwt.identity: unknown 'audience'; there are: keys, aud, iss, leeway, from, user, data
