-- examples/board/boards.lua: a stand-in for the app whose boards these are, so that the example runs on one
-- machine. It keeps boards in memory, says who may read which, and tells the event server of each change.
-- Four people use it, without passwords: who says that she is ann is ann.
local sluice = require "sluice"
local http   = require "sluice.http"
local json   = require "sluice.json"
local log    = require "sluice.log"
local store  = require "sluice.store"
local begin  = require "begin"

local app    = sluice.app "boards-server"
local EVENTS = sluice.env("EVENTS_URL", "http://127.0.0.1:8180")
local KEY    = sluice.env "PUBLISH_KEY"

local PEOPLE = {
  { user = "ann",  name = "Ann Lunde" },
  { user = "bob",  name = "Bob Aasen" },
  { user = "cleo", name = "Cleo Moreau" },
  { user = "dag",  name = "Dag Nygård" },
}
local BY_USER = {}
for _, person in ipairs(PEOPLE) do BY_USER[person.user] = person end

local session = sluice.identity(function(req)
  local person = BY_USER[("; " .. (req.headers.cookie or "")):match "; board=(%l+)"]
  return person and { user = person.user }
end)

-- Boards: each is one entry of the store, found by its number; cards and columns know their board.

local function load(project)
  begin()
  return store.get("project:" .. project)
end

local function place_of(list, field, value)
  for place, item in ipairs(list) do
    if item[field] == value then return place end
  end
end

local function find_card(project, card)
  for _, column in ipairs(project.columns) do
    local place = place_of(column.cards, "card", card)
    if place then return column.cards[place], column, place end
  end
end

local function is_member(project, user)
  for _, member in ipairs(project.members) do
    if member == user then return true end
  end
  return false
end

local function marked(list, each)
  for _, item in ipairs(list) do each(item) end
  return json.list(list)
end

-- A board as JSON: empty lists are lists.
local function shown(project)
  json.list(project.members)
  marked(project.columns, function(column)
    marked(column.cards, function(card) json.list(card.links) end)
  end)
  project.people = PEOPLE
  return project
end

-- Changes go to the event server in their order, one at a time, and wait here while it is away.

local WAITING_MAX = 1000

local function send_waiting()
  if not store.add("sending", true, { ttl = 15 }) then return end -- somebody is at it
  while true do
    local waiting = store.get "waiting" or {}
    if not waiting[1] then break end
    local answer = http.try {
      method  = "POST",
      url     = EVENTS .. "/publish",
      headers = { authorization = "Bearer " .. KEY },
      json    = waiting[1],
      timeout = 2,
    }
    if not answer or answer.status == 429 or answer.status >= 500 then break end
    if not answer:ok() then log.error("not published", { status = answer.status, why = answer.body }) end
    waiting = store.get "waiting"
    table.remove(waiting, 1)
    store.set("waiting", waiting)
  end
  store.delete "sending"
end

app:every("waiting", { period = 1, run = send_waiting })

-- One change, as the event server is told of it. `tag`: the tab that asked for it, which is shown it already.
local function publish(req, type, data)
  local waiting = store.get "waiting" or {}
  if #waiting == WAITING_MAX then table.remove(waiting, 1) end
  waiting[#waiting + 1] = { id = sluice.token(), type = type, data = data, user = req.user, tag = req.tag }
  store.set("waiting", waiting)
  send_waiting()
end

-- Keeps the board as it is now, counts the change, and tells of it.
local function changed(req, project, type, data)
  project.version = project.version + 1
  store.set("project:" .. project.project, project)
  data.project, data.version = project.project, project.version
  publish(req, type, data)
  return { json = { version = project.version } }
end

-- A route about a board, a column or a card; `run` gets the board. Who may not read it gets 403, whatever it is.
local function board_route(name, where, run)
  app:route(name, where, { identity = session, run = function(req, params)
    begin()
    local number = params.project or store.get(params.card and "card:" .. params.card or "column:" .. params.column)
    local project = number and load(number)
    if not project then return 404 end
    if not is_member(project, req.user) then return 403 end
    return run(req, project, params)
  end })
end

local function text_of(req, field)
  local text = req:json()[field]
  text = type(text) == "string" and text:match "^%s*(.-)%s*$" or ""
  return text ~= "" and #text <= 80 and text or nil
end

-- People.

app:route("me", "GET /me", { run = function(req)
  local person = BY_USER[("; " .. (req.headers.cookie or "")):match "; board=(%l+)"]
  return { json = { user = person and person.user, name = person and person.name, people = PEOPLE } }
end })

app:route("login", "POST /login", { run = function(req)
  local person = BY_USER[req:json().user]
  if not person then return 422 end
  return { status = 204, headers = { ["set-cookie"] = "board=" .. person.user .. "; Path=/; HttpOnly; SameSite=Lax" } }
end })

app:route("logout", "POST /logout", { run = function()
  return { status = 204, headers = { ["set-cookie"] = "board=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0" } }
end })

-- What the event server asks: who is it, and which of these may read that board?

app:route("session", "GET /api/session", { identity = session, run = function(req)
  return { json = { user = req.user } }
end })

app:route("readers", "POST /api/readers", { run = function(req)
  if not sluice.same_secret(req.headers.authorization, "Bearer " .. KEY) then return 401 end
  local asked   = req:json()
  local project = load(asked.project) or store.get("gone:" .. asked.project) -- who could may hear that it is gone
  local readers = json.list {}
  for _, user in ipairs(asked.users) do
    if project and is_member(project, user) then readers[#readers + 1] = user end
  end
  store.increment "questions"
  return { json = { readers = readers } }
end })

app:route("questions", "GET /api/questions", { run = function()
  return { json = { questions = store.get "questions" or 0 } }
end })

-- Boards.

app:route("projects", "GET /projects", { identity = session, run = function(req)
  begin()
  local list = json.list {}
  for _, key in ipairs(store.keys "project:") do
    local project = store.get(key)
    if is_member(project, req.user) then list[#list + 1] = { project = project.project, name = project.name } end
  end
  return { json = { projects = list } }
end })

board_route("project", "GET /projects/{project}", function(_, project) return { json = shown(project) } end)

board_route("project-update", "PATCH /projects/{project}", function(req, project)
  project.name = text_of(req, "name")
  if not project.name then return 422 end
  return changed(req, project, "project.updated", { name = project.name })
end)

board_route("project-delete", "DELETE /projects/{project}", function(req, project)
  if project.owner ~= req.user then return 403 end
  store.delete("project:" .. project.project)
  store.set("gone:" .. project.project, { members = project.members }, { ttl = 60 })
  publish(req, "project.deleted", { project = project.project, version = project.version + 1 })
  return 204
end)

-- Who may read it. The event server is told, so that it takes effect at once.

board_route("share", "PUT /projects/{project}/members/{user}", function(req, project, params)
  if project.owner ~= req.user then return 403 end
  if not BY_USER[params.user] then return 404 end
  if not is_member(project, params.user) then
    project.members[#project.members + 1] = params.user
    store.set("project:" .. project.project, project)
    publish(req, "access.granted", { project = project.project, member = params.user })
  end
  return 204
end)

board_route("unshare", "DELETE /projects/{project}/members/{user}", function(req, project, params)
  if project.owner ~= req.user or params.user == req.user then return 403 end
  local members = {}
  for _, member in ipairs(project.members) do
    if member ~= params.user then members[#members + 1] = member end
  end
  if #members < #project.members then
    project.members = members
    store.set("project:" .. project.project, project)
    publish(req, "access.revoked", { project = project.project, member = params.user })
  end
  return 204
end)

-- Columns.

board_route("column-create", "POST /projects/{project}/columns", function(req, project)
  local name = text_of(req, "name")
  if not name or #project.columns == 12 then return 422 end
  local column = ("c%d"):format(store.increment "columns")
  project.columns[#project.columns + 1] = { column = column, name = name, cards = {} }
  store.set("column:" .. column, project.project)
  return changed(req, project, "column.created", { column = column, name = name, position = #project.columns - 1 })
end)

board_route("column-order", "PUT /projects/{project}/order", function(req, project)
  local order, columns = req:json().columns, {}
  for place, column in ipairs(order) do
    local at = place_of(project.columns, "column", column)
    if not at then return 422 end
    columns[place] = table.remove(project.columns, at)
  end
  if #project.columns > 0 then return 422 end
  project.columns = columns
  return changed(req, project, "column.reordered", { columns = order })
end)

board_route("column-update", "PATCH /columns/{column}", function(req, project, params)
  local name = text_of(req, "name")
  if not name then return 422 end
  project.columns[place_of(project.columns, "column", params.column)].name = name
  return changed(req, project, "column.updated", { column = params.column, name = name })
end)

-- Its cards go to the end of the column beside it, and the event says where each one is then.
board_route("column-delete", "DELETE /columns/{column}", function(req, project, params)
  local at = place_of(project.columns, "column", params.column)
  local heir = project.columns[at - 1] or project.columns[at + 1]
  if not heir then return 409 end
  local moved = json.list {}
  for _, card in ipairs(table.remove(project.columns, at).cards) do
    heir.cards[#heir.cards + 1] = card
    moved[#moved + 1] = { card = card.card, column = heir.column, position = #heir.cards - 1 }
  end
  store.delete("column:" .. params.column)
  return changed(req, project, "column.deleted", { column = params.column, cards = moved })
end)

-- Cards. `position` counts from 0, without the card itself.

board_route("move", "POST /cards/{card}/move", function(req, project, params)
  local to = req:json()
  local at = place_of(project.columns, "column", to.column)
  if not at or type(to.position) ~= "number" then return 422 end
  local card, from, place = find_card(project, params.card)
  table.remove(from.cards, place)
  local cards    = project.columns[at].cards
  local position = math.min(math.max(math.floor(to.position), 0), #cards)
  table.insert(cards, position + 1, card)
  return changed(req, project, "card.moved", { card = params.card, column = to.column, position = position })
end)

local function link_route(name, method, type, is_linked)
  board_route(name, method .. " /cards/{card}/links/{to}", function(req, project, params)
    local card, other = find_card(project, params.card), find_card(project, params.to)
    if not card or not other or card == other then return 404 end
    for _, ends in ipairs { { card, params.to }, { other, params.card } } do
      local links = {}
      for _, link in ipairs(ends[1].links) do
        if link ~= ends[2] then links[#links + 1] = link end
      end
      if is_linked then links[#links + 1] = ends[2] end
      ends[1].links = links
    end
    return changed(req, project, type, { card = params.card, to = params.to })
  end)
end

link_route("link",   "PUT",    "card.linked",   true)
link_route("unlink", "DELETE", "card.unlinked", false)
