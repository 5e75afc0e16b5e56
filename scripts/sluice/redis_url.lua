--- Urls of Redis servers, as rule files name them.

local core = require "sluice.core"
local fail = require "sluice.fail"

local redis_url = {}

-- By its looks; what else is wrong says who opens it.
local function fault_of(url)
  if type(url) ~= "string" then return "expected a url, a text, got " .. fail.show(url) end
  if url:find "[%c ]" then return "a url with a blank or control character" end
  if url:find "^redis://[^/]" or url:find "^unix://" or url:find "^redis%-sentinel://[^/]" then return end
  return "expected a url such as redis://127.0.0.1:6379/0 or unix:///run/redis.sock"
end

--- The url that is meant: the one given, or the config's first. Nil: a fault, which is told.
-- @param what the declaration, for messages
function redis_url.of(what, url)
  if url == nil and not core.redis_url then
    return fail.fault("%s: no url is given, and the config names no redis; set redis = \"redis://...\" in it", what)
  end
  local fault = url ~= nil and fault_of(url)
  if fault then return fail.fault("%s: %s", what, fault) end
  return url or core.redis_url
end

return redis_url
