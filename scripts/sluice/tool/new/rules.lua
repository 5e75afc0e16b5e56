-- rules/@APP@.lua: each user's notices, in all of the user's tabs.
local sluice = require "sluice"
local http   = require "sluice.http"

local app = sluice.app "@APP@"
local API = sluice.env("@VARIABLE@_URL", "http://127.0.0.1:8090")   -- the app's own server

-- Who is it? The app's server says, from the cookie: a table is yes, nil is no (401). What raises is "don't know":
-- the tab is told to come back (503), and nobody is logged out because a server was slow.
local session = sluice.identity(function(req)
  local answer = http.get(API .. "/session", { headers = { cookie = req.headers.cookie or "" } })
  if answer.status == 401 then return nil end
  local who = answer:expect(200):json()                    -- any other status raises
  return { user = who.user, data = { token = who.token } } -- `data` is kept as long as the tab is there
end)

-- One topic a user. A tab that comes back within `ttl` seconds gets what it missed, up to `size` triggers; beyond that
-- one `resync` event that tells it to read everything again.
local mine = app:topic("user:{user}", {
  subscribe = sluice.owner "user",                         -- who asks for ?topic=user:bob must be bob
  history   = { size = 256, ttl = 300 },
})

-- One connection to the app's server for each user, however many tabs there are. It is kept for `grace` seconds after
-- the last one, so that a page that is loaded again finds it open.
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  topic   = mine,                                          -- who must read again when it was lost and is back
  request = function(_, data)
    return { url = API .. "/events", headers = { authorization = "Bearer " .. data.token } }
  end,
  grace   = 10,
})

-- Where tabs connect: new EventSource("/@APP@/events").
app:stream("events", {
  path      = "/@APP@/events",
  identity  = session,
  upstreams = { feed },
  topics    = function(_, sub) return mine(sub.user) end,
})

-- What an event of the app means. What is emitted here goes out when the function returns, and not at all if it raises:
-- then the tabs are told to read again. Emit what changed, not what it is now; the page fetches that.
feed:on("notice", function(ev)
  mine(ev.key):emit("notice-added", ev:json().id)
end)

-- A tab has shown a notice. The user's other tabs are told, this one is not: it knows.
app:route("seen", "POST /@APP@/notices/{id}/seen", { identity = session, run = function(req, params)
  mine(req.user):emit("notice-seen", params.id, { tag = req.tag })
  return 204
end })
