--- What rule files are written against: `local sluice = require "sluice"`.

local core   = require "sluice.core"
local app    = require "sluice.app"
local fail   = require "sluice.fail"
local owner  = require "sluice.owner"
local roles  = require "sluice.roles"
local schema = require "sluice.schema"

local sluice = {}

--- Declares the app of this rule file. One file, one app.
-- @param name a word
-- @return the app: app:topic, app:stream, ...
function sluice.app(name)
  return app.new(name)
end

--- Who is it? Shared by streams and routes as their `identity`.
-- @param run function(req): { user = text, data = plain data, expires = seconds since 1970 }, or nil for no (401), or
--   nil, "forbidden" for somebody who is known and may not (403); an error is "don't know": the request is refused
--   as 503
function sluice.identity(run)
  core.declaring "sluice.identity"
  if type(run) ~= "function" then
    fail.raise("sluice.identity: expected a function(req), got %s", fail.show(run))
  end
  return schema.new_identity(run, "identity " .. core.place())
end

--- Roles, the lowest first: `sluice.roles { "viewer", "editor", "admin" }`. See roles:at_least.
function sluice.roles(names) return roles.new(names) end

--- An ingest's `authorize`: whoever has the key, or one of several (while one takes the place of another), may publish,
-- as an app: it says whose its events are.
-- @param keys a text, or a list of texts
function sluice.bearer(keys)
  core.declaring "sluice.bearer"
  if type(keys) ~= "table" then keys = { keys } end
  if #keys == 0 then fail.raise "sluice.bearer: expected a key, or a list of keys, got none" end
  for _, key in ipairs(keys) do
    if type(key) ~= "string" or key == "" or core.breaks_line(key) then
      fail.raise("sluice.bearer: expected a key, a text, got %s",
        type(key) == "string" and "one that is empty or has lines" or fail.show(key))
    end
  end
  return { is_bearer = true, keys = keys }
end

--- A topic's `subscribe` that lets only that user in whom the parameter names.
function sluice.owner(param)
  return owner.new(param)
end

--- Refuses the request, or the publish, at hand: ends the route or the ingest's handler with this answer, and nothing
-- of it is published. No failure of the rule's: it is neither logged nor counted as one. Elsewhere it is an error.
-- @param status 400 to 599; with 429 and 503 goes a Retry-After
-- @param code a word for programs
-- @param sentence for people
function sluice.refuse(status, code, sentence)
  if type(status) ~= "number" or status < 400 or status > 599 or status % 1 ~= 0 then
    fail.raise("sluice.refuse: expected a status from 400 to 599, got %s", fail.show(status))
  end
  if type(code) ~= "string" or not code:find "^[%l%d_]+$" then
    fail.raise("sluice.refuse: expected a code such as \"not_yours\", got %s", fail.show(code))
  end
  if type(sentence) ~= "string" then
    fail.raise("sluice.refuse: expected a sentence, got %s", fail.show(sentence))
  end
  return core.refuse(status, code, sentence)
end

--- An environment variable. Without a default it must be there.
function sluice.env(name, default)
  if type(name) ~= "string" then fail.raise("sluice.env: expected a name, got %s", fail.show(name)) end
  local value = core.env(name)
  if value ~= nil then return value end
  if default == nil then
    fail.raise("sluice.env: %s is not set, and no default is given; set it where sluice is started", name)
  end
  return default
end

--- 128 random bits as 32 hex digits, for session names and the like.
function sluice.token() return core.token() end

--- Are the two texts equal? Takes a time that does not depend on where they differ.
function sluice.same_secret(one, other)
  return type(one) == "string" and type(other) == "string" and core.equal_secret(one, other)
end

return fail.strict("sluice", sluice)
