--- Signed tokens for specs, made by the library's own jwt.sign.

local rules = require "spec.support.rules"

local tokens = {}

--- A token with these claims (HS256).
function tokens.sign(claims, secret)
  local world = rules.load [[
    local jwt = require "sluice.jwt"
    app:route("sign", "POST /sign", { run = function(req)
      local asked = req:json()
      return 200, jwt.sign(asked.claims, { alg = "HS256", key = asked.secret })
    end })]]
  local answer = world:request("POST", "/sign", { json = { claims = claims, secret = secret } })
  world:close()
  assert(answer.status == 200, answer.body)
  return answer.body
end

return tokens
