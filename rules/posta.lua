-- rules/posta.lua: chat. Live threads, read watermarks, tabs in step.
local sluice    = require "sluice"
local http      = require "sluice.http"
local watermark = require "sluice.watermark"

local app   = sluice.app "posta"
local POSTA = sluice.env("POSTA_URL", "http://127.0.0.1:8090")

-- Who is it? Shared by the stream and the routes. nil: no. An error: don't know.
local session = sluice.identity(function(req)
  local answer = http.get(POSTA .. "/api/v1/session", { headers = { cookie = req.headers.cookie or "" } })
  if answer.status == 401 then return nil end
  local who = answer:expect(200):json()                 -- anything else raises
  return { user = who.user, data = { token = who.token } }
end)

local function bearer(data) return { authorization = "Bearer " .. data.token } end

local mine = app:topic("user:{user}", {
  about     = "What concerns a user: the pages fetch what is shown of it.",
  types     = {
    ["thread-updated"]  = { about = "A message came into a thread, or one's state has changed.", data = "the peer" },
    ["contact-changed"] = { about = "A contact's last message, or what of its thread is read, has changed.",
                            data = "the peer" },
  },
  subscribe = sluice.owner "user",                      -- only ann may have user:ann
  history   = { size = 256, ttl = 300 },
})

local inbox = app:upstream("inbox", {                   -- one SSE-in per user, shared by all its tabs
  key     = function(sub) return sub.user end,
  topic   = mine,                                       -- whom a lost and reopened link concerns
  request = function(key, data) return { url = POSTA .. "/api/v1/events", headers = bearer(data) } end,
  grace   = 10,                                         -- seconds without a tab before it closes
  backoff = { min = 1, max = 30 },                      -- full jitter
  idle    = 90,                                         -- silent for longer: dead, reconnect
})

app:stream("events", {
  about     = "One a tab; htmx listens to it.",
  path      = "/events",
  identity  = session,
  upstreams = { inbox },                                -- a subscriber here leases its user's link
  topics    = function(req, sub) return mine(sub.user) end,
})

local read = watermark.new(app, "read", {               -- named: its rows survive a reload
  wait = 0.5,                                           -- a trigger waits no longer for it
  post = function(user, data, peer, row)
    return http.post(POSTA .. "/api/v1/contacts/read",
                     { headers = bearer(data), json = { peer = peer, rowId = row } }):expect(204)
  end,
})

app:route("open", "POST /threads/{peer}/open", {
  about    = 'The tab of this session tag shows the thread, and so has read it down to {"rowId":…}.',
  identity = session,
  run      = function(req, params)
    read:open(req.user, req.tag, params.peer, req:json().rowId)
    return 204
  end,
})
app:route("close", "DELETE /threads/{peer}/open", {
  about    = "It shows the thread no more.",
  identity = session,
  run      = function(req, params)
    read:close(req.user, req.tag, params.peer)
    return 204
  end,
})

inbox:on({ "inbound", "outbound-state" }, function(ev)
  local message = ev:json()
  if ev.type == "inbound" then
    read:advance(ev.key, message.peer, message.rowId)   -- answered before the triggers go out
  end
  mine(ev.key):emit("thread-updated", message.peer, { tag = message.session_tag })
  mine(ev.key):emit("contact-changed", message.peer, { replaces = message.peer, within = 0.05 })
end)
inbox:on("read-watermark-changed", function(ev) mine(ev.key):emit("contact-changed", ev:json().peer) end)
inbox:on("resync", function(ev) mine(ev.key):resync "upstream" end)
