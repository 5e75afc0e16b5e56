--- The app that a rule file declares: what it declares through, and what it asks at run time.

local core     = require "sluice.core"
local described = require "sluice.described"
local fail     = require "sluice.fail"
local presence = require "sluice.presence"

local app = {}

local App = {}

for _, noun in ipairs { "topic", "stream", "upstream", "redis", "ingest", "route", "static", "every", "limit" } do
  local declare = require("sluice.declare_" .. noun)
  App[noun] = function(self, ...)
    core.declaring("app:" .. noun)
    if getmetatable(self) ~= "app" then fail.raise("app:%s is called with a colon, not with a dot", noun) end
    return declare(self, ...)
  end
end

--- Everybody who has a stream now: a list of names, in no order.
function App.users() return core.users() end

--- The open subscribers: all, or a user's, or the one with that tag.
-- @param who { user = "ann", tag = "..." }, both optional
function App.subscribers(_, who)
  local user, tag = app.who("app:subscribers", who)
  return core.subscribers(user, tag)
end

--- How many those are, without making a handle of each.
function App.count(_, who)
  local user, tag = app.who("app:count", who)
  return core.count(user, tag)
end

--- Ends a user's streams, or the one with that tag; nothing given: everybody's. Returns how many.
-- @param farewell { event =, data =, final = }: a last event; final: they shall not come back
function App.disconnect(_, who, farewell)
  local user, tag = app.who("app:disconnect", who)
  return core.disconnect(user, tag, farewell)
end

--- Forgets what audiences have answered: it is asked again, also about triggers that wait somewhere.
-- @param topic a handle with its values, or a name; nil: all topics
-- @param user nil: all users
function App.forget(_, topic, user)
  if topic ~= nil and type(topic) ~= "string" and not core.is_topic_name(topic) then
    fail.raise("app:forget: expected a topic's handle with its values, a name or nil, got %s", fail.show(topic))
  end
  if user ~= nil and type(user) ~= "string" then
    fail.raise("app:forget: a user is %s, expected a text, or nil for all", fail.show(user))
  end
  core.forget(topic, user)
end

--- Who is on a topic that is declared with `presence`. See sluice.presence.
function App.presence(_, topic) return presence.of(topic) end

--- The place in the order up to which everything has been sent: what a page embeds that was rendered now, as
-- the `last_event_id` of its first connection. 32 characters.
function App.cursor() return core.cursor() end

--- Publishes what the handler has emitted so far, before it returns. Where nodes share a Redis it waits until that is
-- done, and raises if it could not be.
function App.flush()
  if core.flush() then return end
  local code, why = core.collect()
  if code then fail.raise("app:flush: %s: %s; what was emitted so far is not published", code, why) end
end

local names = {}
for name in pairs(App) do names[#names + 1] = name end

App.__index = function(_, name)
  return rawget(App, name) or fail.raise("an app has no '%s'%s", tostring(name), fail.hint(name, names))
end
App.__metatable = "app"

local function text(what, value)
  if type(value) == "string" then return value end
  fail.raise("%s: a user or tag is %s, expected a text", what, fail.show(value))
end

--- Reads { user =, tag = }.
function app.who(what, who)
  if who == nil then return end
  if type(who) ~= "table" then fail.raise("%s: expected { user = ... }, got %s", what, fail.show(who)) end
  for name in pairs(who) do
    if name ~= "user" and name ~= "tag" then
      fail.raise("%s: unknown '%s'%s", what, tostring(name), fail.hint(name, { "user", "tag" }))
    end
  end
  if who.user == nil then fail.raise("%s: user is nil; without an argument it means everybody", what) end
  return text(what, who.user), who.tag ~= nil and text(what, who.tag) or nil
end

local declared -- the one app of this VM
local finishers = {}

--- What is to be done when the rule file has run to its end.
function app.at_finish(run) finishers[#finishers + 1] = run end

function app.finish()
  for _, run in ipairs(finishers) do run() end
end

--- Declares the app. See sluice.app.
function app.new(name)
  core.declaring "sluice.app"
  if type(name) ~= "string" or not name:find "^%a[%w_-]*$" or #name > 64 then
    fail.raise("sluice.app: expected a name (a letter, then letters, digits, '_', '-'), got %s", fail.show(name))
  end
  if declared then fail.raise("sluice.app: this file has declared an app already; one file, one app") end
  core.app { name = name }
  described.add("app", { name = name })
  declared = setmetatable({ name = name, at_finish = app.at_finish }, App)
  return declared
end

return app
