-- examples/board/draft.lua: the board's rules, made of plain routes.
local sluice = require "sluice"
local http   = require "sluice.http"

local app    = sluice.app "board"
local BOARDS = sluice.env("BOARDS_URL", "http://127.0.0.1:8190")
local KEY    = sluice.env("PUBLISH_KEY", "a key for the example only")

local session = sluice.identity(function(req)
  local answer = http.get(BOARDS .. "/api/session", { headers = { cookie = req.headers.cookie or "" } })
  if answer.status == 401 then return nil end
  return { user = answer:expect(200):json().user }
end)

local function may_read(project, user)
  local readers = http.post(BOARDS .. "/api/readers", {
    headers = { authorization = "Bearer " .. KEY },
    json    = { project = project, users = { user } },
  }):expect(200):json().readers
  return readers[1] == user
end

local mine = app:topic("user:{user}", { subscribe = sluice.owner "user", history = { size = 256, ttl = 600 } })

local board = app:topic("project-board.{project}", {
  event     = "topic",
  history   = { size = 512, ttl = 600 },
  subscribe = function(sub, params) return may_read(params.project, sub.user) end,
  filter    = function(_, sub, params) return may_read(params.project, sub.user) end,
})

app:stream("events", {
  path     = "/events",
  identity = session,
  topics   = function(_, sub) return mine(sub.user) end,
  suppress = "client",
})

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

local function emit(type, data, version, project, options)
  local trigger = { type = type, version = version }
  for _, field in ipairs(FIELDS[type]) do trigger[field] = data[field] end
  board(project):emit(type, trigger, options)
end

app:route("publish", "POST /publish", { run = function(req)
  if not sluice.same_secret(req.headers.authorization, "Bearer " .. KEY) then return 401 end
  local event   = req:json()
  local data    = event.data
  local options = { tag = event.tag or false, user = event.user }
  if event.type:find "^access%." then
    mine(data.member):emit(event.type, { project = data.project }, { tag = false })
    return 200, "{}"
  end
  for _, moved in ipairs(data.cards or {}) do emit("card.moved", moved, data.version, data.project, options) end
  emit(event.type, data, data.version, data.project, options)
  return 200, "{}"
end })
