--- What the library keeps in Redis where nodes share it: scripts that a server runs as one step (core/cluster/). What
-- belongs to a user stands on one server.

local core = require "sluice.core"
local fail = require "sluice.fail"

local shared = {}

local AWAY = { away = true, full = true, timeout = true, lost = true, epoch = true } -- as ports/redis.h has them

--- Runs a script and waits for it. `where`: a server's number, or a user. All words are texts.
-- @return a list; or nil, code, sentence
function shared.run(script, where, ...)
  core.shared(script, where, ...)
  return core.collect()
end

--- What was answered; where Redis is away the call at hand ends in "don't know": 503 for a route.
function shared.expect(what, answer, code, sentence)
  if answer then return answer end
  if AWAY[code] then core.refuse(503, "unavailable", ("%s: %s"):format(what, sentence)) end
  fail.raise("%s: redis: %s: %s", what, code, sentence)
end

--- A number as a word, exactly.
function shared.word(number) return ("%.17g"):format(number) end

--- What is said of a user at hand: JSON, and the number of the stream of which it was said, "" for a request.
-- "", "": nothing.
function shared.said_of(user)
  local who, data = core.identity()
  if who == user and data ~= nil then return core.json_encode(data), "" end
  return shared.newest_of(user)
end

--- The same of the user's newest stream here.
function shared.newest_of(user)
  local data, number = core.newest_data(user)
  if data == nil then return "", "" end
  return core.json_encode(data), shared.word(number)
end

return shared
