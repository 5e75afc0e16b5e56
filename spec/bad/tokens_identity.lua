local sluice = require "sluice"
local app = sluice.app "bad"
local jwt = require "sluice.jwt"
local who = jwt.identity { keys = { { alg = "HS256", key = ("x"):rep(32) } } }
--> 4: jwt.identity: 'keys': expected what jwt.keys gives
