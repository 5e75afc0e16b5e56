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

-- Which of these users may read it? An app that is away, or talks of something else, raises: don't know, nothing shown.
local function readers(project, users)
  local names = http.post(BOARDS .. "/api/readers", {
    headers = { authorization = "Bearer " .. KEY },
    json    = { project = project, users = json.list(users) },
  }):expect(200):json().readers
  if type(names) ~= "table" then error "the app's answer names no readers" end
  return names
end

-- What happens on a board: of each type the fields that go out. `sluice docs` shows them: docs/channels/board.md.
local CARD, COLUMN, NAME = "the card's id", "the column's id", "its name now"
local TYPES = {
  ["card.moved"] = { about = "A card stands elsewhere.", fields = {
    card = CARD, column = "the id of its column", position = "its place there, from 0, not counting itself" } },
  ["card.linked"]   = { about = "A card refers to another.",         fields = { card = CARD, to = "the other's id" } },
  ["card.unlinked"] = { about = "A card refers to another no more.", fields = { card = CARD, to = "the other's id" } },
  ["column.created"] = { about = "There is a new column.", fields = {
    column = COLUMN, name = NAME, position = "its place, from 0" } },
  ["column.updated"] = { about = "A column has another name.", fields = { column = COLUMN, name = NAME } },
  ["column.deleted"] = { about = "A column is gone. Each card that was in it has moved before.",
    fields = { column = COLUMN } },
  ["column.reordered"] = { about = "The columns stand in another order.", fields = {
    columns = "the ids of all columns, in their order" } },
  ["project.updated"]  = { about = "The board has another name.", fields = { name = NAME } },
  ["project.deleted"]  = { about = "The board is gone.",          fields = {} },
}
for _, one in pairs(TYPES) do
  one.fields.type    = "the type, since the name of the SSE event is the topic's"
  one.fields.version = "the count of the board's changes, with this one"
end

local board = app:topic("project-board.{project}", {
  about     = "What happens on a board, for the pages that show it.",
  types     = TYPES,
  event     = "topic",                                  -- the SSE event name is the topic, as the page expects
  history   = { size = 512, ttl = 600 },
  subscribe = function(sub, params) return readers(params.project, { sub.user })[1] == sub.user end,
  audience  = {                                         -- one question an event, over the users who have the board open
    ttl = 10,                                           -- a revocation that nobody tells takes effect within this
    key = function(ev, params) return params.project end,
    ask = readers,
  },
})

local mine = app:topic("user:{user}", {
  about     = "What concerns a user, whatever board is shown.",
  types     = {
    ["access.granted"] = { about = "The user may read a board now.", fields = { project = "the board's id" } },
    ["access.revoked"] = { about = "The user may read a board no more.", fields = { project = "the board's id" } },
  },
  subscribe = sluice.owner "user",
  history   = { size = 256, ttl = 600 },
})

app:stream("events", {
  about    = "All that a browser's tabs want, over one connection.",
  path     = "/events",
  identity = session,
  topics   = function(req, sub) return mine(sub.user) end,  -- boards come by ?topic= and by the routes below
  suppress = "client",                                  -- the tabs behind one stream know their own tags
})

-- The topics of a stream that is open: the worker's, found by its tag.
local function stream_of(req)
  return req.tag and app:subscribers { user = req.user, tag = req.tag }[1]
end

app:route("want", "POST /topics", { identity = session, about = [[The stream of this session tag wants more topics:
{"topics":[…]}. The answer, {"refused":{…}}, says which it may not have, and why.]], run = function(req)
  local sub, refused = stream_of(req), {}
  if not sub then return 404 end
  for _, topic in ipairs(req:json().topics) do
    local ok, code = sub:subscribe(topic)
    if code == "closed" then return 404 end
    if not ok then refused[topic] = code end
  end
  return { json = { refused = refused } }
end })

app:route("drop", "DELETE /topics/{topic}", { identity = session, about = "It wants a topic no more.",
run = function(req, params)
  local sub = stream_of(req)
  if not sub then return 404 end
  sub:leave(params.topic)
  return 204
end })

local function emit(type, change, data)
  local trigger = {}
  for field in pairs(TYPES[type].fields) do trigger[field] = data[field] end
  trigger.type, trigger.version = type, change.version
  board(change.project):emit(type, trigger)             -- (user, tag) are the event's
end

local mutations = app:ingest("mutations", {
  about     = "For the boards' app: each change of a board, with its project and version.",
  path      = "/publish",
  authorize = sluice.bearer(KEY),
})

for type in pairs(TYPES) do
  mutations:on(type, function(ev)
    local change = ev:json()
    if type == "column.deleted" and change.cards ~= json.null then
      for _, card in ipairs(change.cards or {}) do      -- they move before it goes: the page need fetch nothing
        emit("card.moved", change, card)
      end
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
