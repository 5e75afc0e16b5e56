-- examples/chat/posta.lua: a stand-in for the posta server, so that the chat runs on one machine. It speaks
-- the API that rules/posta.lua expects and renders the page's HTML; messages live as long as the process.
-- Six people use it, without passwords: who says that she is ann is ann. So the cookie is the user's name,
-- the token is made of it, and a restart logs nobody out.
local sluice = require "sluice"
local store  = require "sluice.store"
local time   = require "sluice.time"
local view   = require "view"

local app = sluice.app "posta-server"

local PEOPLE = {
  { user = "ann",  name = "Ann Lunde" },
  { user = "bob",  name = "Bob Aasen" },
  { user = "cleo", name = "Cleo Moreau" },
  { user = "dag",  name = "Dag Nygård" },
  { user = "edda", name = "Edda Sørli" },
  { user = "femi", name = "Femi Okafor" },
}

local KEPT = 200 -- messages that a thread keeps

local by_user, by_peer = {}, {}
for place, person in ipairs(PEOPLE) do
  person.peer  = "https://posta.no/@" .. person.user -- as others address her
  person.place = place
  by_user[person.user], by_peer[person.peer] = person, person
end

local mine = app:topic("user:{user}", {
  subscribe = sluice.owner "user",
  history   = { size = 256, ttl = 300 },
})

-- Who is it? A browser by its cookie, Sluice by the token that GET /api/v1/session gave for the cookie.

local function visitor(req)
  return by_user[("; " .. (req.headers.cookie or "")):match "; posta=(%l+)"]
end

local by_cookie = sluice.identity(function(req)
  local person = visitor(req)
  return person and { user = person.user }
end)

local by_token = sluice.identity(function(req)
  local person = by_user[(req.headers.authorization or ""):match "^Bearer demo%-(%l+)$"]
  return person and { user = person.user }
end)

-- Messages, and two marks that only rise: the last row that reached a user, the last row she read of a peer.

local function thread_key(one, other)
  if other < one then one, other = other, one end
  return ("thread:%s:%s"):format(one, other)
end

local function received(user) return store.get("received:" .. user) or 0 end
local function read(user, peer) return store.get(("read:%s:%s"):format(user, peer)) or 0 end

-- Rows follow the clock, so that they rise over a restart too, as watermarks elsewhere must see them do.
local function next_row()
  local row = math.max((store.get "row" or 0) + 1, math.floor(time.now() * 1000))
  store.set("row", row)
  return row
end

local function add(from, to, text, at)
  local key      = thread_key(from, to)
  local messages = store.get(key) or {}
  local row      = next_row()
  messages[#messages + 1] = { row = row, from = from, text = text, at = at }
  if #messages > KEPT then table.remove(messages, 1) end
  store.set(key, messages)
  return row
end

-- A little talk to begin with: from, to, hours ago, what. All but the last hour's is read.
local TALK = {
  { "dag",  "ann",  30.0, "The cabin keys are under the blue pot. Mind the second step." },
  { "ann",  "dag",  29.5, "Found them. Thank you!" },
  { "edda", "ann",  22.0, "Choir is at seven this week, not eight" },
  { "ann",  "bob",   3.2, "Did the boat make it in before the wind turned?" },
  { "bob",  "ann",   3.1, "Just. Moored at the inner pier, engine's fine." },
  { "bob",  "ann",   3.1, "We lost one fender though" },
  { "ann",  "bob",   2.9, "Cheap price. I'll bring a spare tomorrow." },
  { "cleo", "ann",   0.6, "Slides are up. Could you read page four before noon?" },
  { "cleo", "ann",   0.5, "And tell me if the numbers are still last year's" },
}

local function begin()
  if store.get "row" then return end
  for _, said in ipairs(TALK) do
    local from, to, hours, text = unpack(said)
    local row = add(from, to, text, time.now() - hours * 3600)
    store.set("received:" .. to, row)
    if hours > 1 then store.set(("read:%s:%s"):format(to, from), row) end
  end
end

local function thread(one, other)
  begin()
  return store.get(thread_key(one, other)) or {}
end

local function state(message, to)
  if message.row <= read(to, message.from) then return "read" end
  if message.row <= received(to) then return "delivered" end
  return "sent"
end

-- What Sluice is told, over its one stream per user.

local function tell_sender(from, to, row, what, tag)
  mine(from):emit("outbound-state", { peer = by_user[to].peer, rowId = row, state = what, session_tag = tag })
end

local function deliver(user)
  begin()
  local before = received(user)
  store.set("received:" .. user, store.get "row")
  for _, person in ipairs(PEOPLE) do
    local messages = thread(person.user, user)
    local last     = messages[#messages]
    if last and last.from == person.user and last.row > before then
      tell_sender(person.user, user, last.row, "delivered")
    end
  end
end

local function send(from, to, text, tag)
  begin()
  local row = add(from, to, text, time.now())
  if #app:subscribers { user = to } > 0 then store.set("received:" .. to, row) end
  mine(to):emit("inbound", { peer = by_user[from].peer, rowId = row })
  tell_sender(from, to, row, row <= received(to) and "delivered" or "sent", tag)
end

local function mark_read(user, peer, row)
  if row <= read(user, peer) then return end
  store.set(("read:%s:%s"):format(user, peer), row)
  mine(user):emit("read-watermark-changed", { peer = by_user[peer].peer, rowId = row })
  tell_sender(peer, user, row, "read")
end

-- The API.

app:route("session", "GET /api/v1/session", { identity = by_cookie, run = function(req)
  return { json = { user = req.user, token = "demo-" .. req.user } }
end })

app:stream("events", {
  path     = "/api/v1/events",
  identity = by_token,
  topics   = function(_, sub) return mine(sub.user) end,
  connect  = function(sub) deliver(sub.user) end,
})

app:route("read", "POST /api/v1/contacts/read", { identity = by_token, run = function(req)
  local mark = req:json()
  local peer = by_peer[mark.peer]
  if not peer or type(mark.rowId) ~= "number" then return 422 end
  mark_read(req.user, peer.user, mark.rowId)
  return 204
end })

app:route("connections", "GET /api/v1/connections", { run = function()
  local count = {}
  for _, person in ipairs(PEOPLE) do count[person.user] = #app:subscribers { user = person.user } end
  return { json = count }
end })

-- The page's HTML.

local function conversations(me)
  local rows, unread = {}, 0
  for _, person in ipairs(PEOPLE) do
    if person.user ~= me then
      local messages = thread(me, person.user)
      local row = { person = person, last = messages[#messages], unread = 0 }
      for _, message in ipairs(messages) do
        if message.from ~= me and message.row > read(me, person.user) then row.unread = row.unread + 1 end
      end
      row.state = row.last and row.last.from == me and state(row.last, person.user)
      unread = unread + row.unread
      rows[#rows + 1] = row
    end
  end
  table.sort(rows, function(a, b) return (a.last and a.last.row or 0) > (b.last and b.last.row or 0) end)
  return view.conversations(rows, unread)
end

local function messages(me, person)
  local list = thread(me, person.user)
  for _, message in ipairs(list) do
    message.mine  = message.from == me
    message.state = message.mine and state(message, person.user)
  end
  return view.messages(list, person)
end

local function open_thread(me, person)
  return view.thread(person, messages(me, person))
end

local function page(me, person)
  return view.page(by_user[me], conversations(me), person and open_thread(me, person) or view.nobody())
end

-- A route about one of the user's contacts; `run` gets the person that the path names.
local function contact_route(name, method_and_path, run)
  app:route(name, method_and_path, { identity = by_cookie, run = function(req, params)
    local person = by_peer[params.peer]
    if not person or person.user == req.user then return 404 end
    return run(req, person)
  end })
end

app:route("app", "GET /ui/app", { run = function(req)
  local person = visitor(req)
  if not person then return { html = view.login(PEOPLE) } end
  local with = by_peer[req.query.with]
  return { html = page(person.user, with ~= person and with) }
end })

app:route("login", "POST /login", { run = function(req)
  local person = by_user[req:form().user]
  if not person then return 422 end
  return {
    headers = { ["set-cookie"] = ("posta=%s; Path=/; HttpOnly; SameSite=Lax"):format(person.user) },
    html    = page(person.user),
  }
end })

app:route("logout", "POST /logout", { run = function()
  return {
    headers = { ["set-cookie"] = "posta=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0" },
    html    = view.login(PEOPLE),
  }
end })

app:route("conversations", "GET /ui/conversations", { identity = by_cookie, run = function(req)
  return { html = conversations(req.user) }
end })

app:route("nobody", "GET /ui/thread", { run = function() return { html = view.nobody() } end })

contact_route("thread", "GET /ui/thread/{peer}", function(req, person)
  return { html = open_thread(req.user, person) }
end)

contact_route("messages", "GET /ui/thread/{peer}/messages", function(req, person)
  return { html = messages(req.user, person) }
end)

contact_route("send", "POST /ui/thread/{peer}/messages", function(req, person)
  local text = (req:form().text or ""):match "^%s*(.-)%s*$"
  if text == "" or #text > 4000 then return 422 end
  send(req.user, person.user, text, req.tag)
  return { html = messages(req.user, person) }
end)
