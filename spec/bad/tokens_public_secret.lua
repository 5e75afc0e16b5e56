local sluice = require "sluice"
local app = sluice.app "bad"
local jwt = require "sluice.jwt"
jwt.keys { { alg = "HS256", key = "-----BEGIN PUBLIC KEY-----" } }
--> 4: jwt.keys: key 1: 'key': HS256 takes a secret, and this is a PEM; a public key as a secret is one that everybody has
