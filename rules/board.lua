-- rules/board.lua: project boards. Each change, published by the boards' app, goes to the tabs that show the board
-- and may read it, but not to the one that made it. Tabs of a browser share one stream (client/shared.js).
local sluice = require "sluice"
local http   = require "sluice.http"
local json   = require "sluice.json"

local app    = sluice.app "board"
local BOARDS = sluice.env("BOARDS_URL", "http://127.0.0.1:8190")
local KEY    = sluice.env "PUBLISH_KEY"                 -- the app's to us, and ours to it

local session = sluice.identity(function(req)
  local answer = http.get(BOARDS .. "/api/session", { headers = { cookie = req.headers.cookie or "" } })
  if answer.status == 401 then return nil end
  return { user = answer:expect(200):json().user }
end)

-- Which of these users may read it? An app that is away raises: don't know, so nothing is shown.
local function readers(project, users)
  return http.post(BOARDS .. "/api/readers", {
    headers = { authorization = "Bearer " .. KEY },
    json    = { project = project, users = json.list(users) },
  }):expect(200):json().readers
end

local board = app:topic("project-board.{project}", {
  event     = "topic",                                  -- the SSE event name is the topic, as the page expects
  history   = { size = 512, ttl = 600 },
  subscribe = function(sub, params) return readers(params.project, { sub.user })[1] == sub.user end,
  audience  = {                                         -- one question an event, over the users who have the board open
    ttl = 10,                                           -- a revocation that nobody tells takes effect within this
    key = function(ev, params) return params.project end,
    ask = readers,
  },
})

local mine = app:topic("user:{user}", { subscribe = sluice.owner "user", history = { size = 256, ttl = 600 } })

app:stream("events", {
  path     = "/events",
  identity = session,
  topics   = function(req, sub) return mine(sub.user) end,  -- boards come by ?topic= and by the routes below
  suppress = "client",                                  -- the tabs behind one stream know their own tags
})

-- The topics of a stream that is open: the worker's, found by its tag.
local function stream_of(req)
  return req.tag and app:subscribers { user = req.user, tag = req.tag }[1]
end

app:route("want", "POST /topics", { identity = session, run = function(req)
  local sub, refused = stream_of(req), {}
  if not sub then return 404 end
  for _, topic in ipairs(req:json().topics) do
    local ok, code = sub:subscribe(topic)
    if code == "closed" then return 404 end
    if not ok then refused[topic] = code end
  end
  return { json = { refused = refused } }
end })

app:route("drop", "DELETE /topics/{topic}", { identity = session, run = function(req, params)
  local sub = stream_of(req)
  if not sub then return 404 end
  sub:leave(params.topic)
  return 204
end })

-- What happens on a board: of each type the fields that go out, beside its type and the count of the board's changes.
local FIELDS = {
  ["card.moved"]       = { "card", "column", "position" },
  ["card.linked"]      = { "card", "to" },
  ["card.unlinked"]    = { "card", "to" },
  ["column.created"]   = { "column", "name", "position" },
  ["column.updated"]   = { "column", "name" },
  ["column.deleted"]   = { "column" },
  ["column.reordered"] = { "columns" },
  ["project.updated"]  = { "name" },
  ["project.deleted"]  = {},
}

local function emit(type, change, data)
  local trigger = { type = type, version = change.version }
  for _, field in ipairs(FIELDS[type]) do trigger[field] = data[field] end
  board(change.project):emit(type, trigger)             -- (user, tag) are the event's
end

local mutations = app:ingest("mutations", { path = "/publish", authorize = sluice.bearer(KEY) })

for type in pairs(FIELDS) do
  mutations:on(type, function(ev)
    local change = ev:json()
    for _, card in ipairs(change.cards or {}) do        -- of a column that is deleted: the page need fetch nothing
      emit("card.moved", change, card)
    end
    emit(type, change, change)
  end)
end

-- Who may read a board has changed: that takes effect at once, and who it concerns is told.
mutations:on({ "access.granted", "access.revoked" }, function(ev)
  local access = ev:json()
  local topic  = board(access.project)
  app:forget(topic, access.member)
  if ev.type == "access.revoked" then
    for _, sub in ipairs(app:subscribers { user = access.member }) do sub:leave(topic) end
  end
  mine(access.member):emit(ev.type, { project = access.project }, { tag = false })
end)
