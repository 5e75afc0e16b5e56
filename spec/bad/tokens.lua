local sluice = require "sluice"
local app = sluice.app "bad"
local jwt = require "sluice.jwt"
jwt.keys { { alg = "HS256", key = "short" } }
--> 4: jwt.keys: key 1: 'key': HS256 takes a secret of at least 32 bytes, got 5
