-- examples/inventory/inventory.lua: a stand-in for the inventory, so that the example runs on one machine. It keeps
-- items in memory, says who is who, and tells the event server of each change. Four people use it, without passwords:
-- who says that she is vera is vera.
local sluice = require "sluice"
local json   = require "sluice.json"
local store  = require "sluice.store"
local outbox = require "outbox"

local app = sluice.app "inventory"

local PEOPLE = {
  { user = "vera", name = "Vera Holt",   role = "viewer" },
  { user = "egil", name = "Egil Strand", role = "editor" },
  { user = "ada",  name = "Ada Ferrer",  role = "admin" },
  { user = "gus",  name = "Gus Pell" },                   -- has no role yet
}
local BY_USER = {}
for _, person in ipairs(PEOPLE) do BY_USER[person.user] = person end

local function person_of(req) return BY_USER[("; " .. (req.headers.cookie or "")):match "; silo=(%l+)"] end

local roles  = sluice.roles { "viewer", "editor", "admin" }
local anyone = sluice.identity(function(req)
  local person = person_of(req)
  return person and { user = person.user, data = { role = person.role } }
end)

-- Items: one entry of the store each, by part number.

local BEGINNING = {
  { "assembly", "Gearbox, two stages" },     { "part", "Housing, cast aluminium" }, { "part", "Input shaft, 12 mm" },
  { "part", "Spur gear, 48 teeth" },         { "bought", "Ball bearing 6201" },     { "bought", "Shaft seal 12x22x7" },
  { "document", "Assembly instructions" },
}

local function add(item_type, description)
  local letter = ({ assembly = "A", part = "F", bought = "B", document = "D" })[item_type]
  local item = {
    part_number = ("%s%04d"):format(letter, store.increment "numbers"), item_type = item_type,
    description = description, revision = 1,
  }
  store.set("item:" .. item.part_number, item)
  return item
end

local function begin()
  if not store.add("begun", true) then return end
  for _, item in ipairs(BEGINNING) do add(item[1], item[2]) end
end

local function mode() return store.get "mode" or "normal" end

local publish = outbox(app)

-- The mode is told again and again under an id of its own: the event server takes it once, and after a restart, anew.
app:every("mode", { period = 5, run = function()
  publish("server.state", { mode = mode() }, "mode-" .. (store.get "modes" or 0))
end })

-- People.

app:route("me", "GET /me", { run = function(req)
  return { json = { me = person_of(req), people = PEOPLE } }
end })

app:route("login", "POST /login", { run = function(req)
  local person = BY_USER[req:json().user]
  if not person then return 422 end
  return { status = 204, headers = { ["set-cookie"] = "silo=" .. person.user .. "; Path=/; HttpOnly; SameSite=Lax" } }
end })

app:route("logout", "POST /logout", { run = function()
  return { status = 204, headers = { ["set-cookie"] = "silo=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0" } }
end })

-- What the event server asks: who is it?
app:route("who", "GET /api/me", { identity = anyone, run = function(req)
  return { json = { user = req.user, role = req.data.role } }
end })

-- Items. What changes something is answered when it is kept; the event server hears of it then.

-- A route for who has that role; while the server is not in its normal mode nothing changes.
local function changing(name, where, role, run)
  app:route(name, where, { identity = roles:at_least(role, anyone), run = function(req, params)
    begin()
    if name ~= "mode" and mode() ~= "normal" then sluice.refuse(409, "mode", "Nothing can be changed now.") end
    local item = params.part_number and store.get("item:" .. params.part_number)
    if params.part_number and not item then sluice.refuse(404, "no_item", "There is no such item.") end
    return run(req.body ~= "" and req:json() or {}, item)
  end })
end

local function text_of(body, field, least)
  local text = type(body) == "table" and body[field]
  text = type(text) == "string" and text:match "^%s*(.-)%s*$" or ""
  if #text < least or #text > 120 then sluice.refuse(422, field, "A " .. field .. " is missing, or too long.") end
  return text
end

app:route("items", "GET /items", { identity = roles:at_least("viewer", anyone), run = function()
  begin()
  local list = json.list {}
  for i, key in ipairs(store.keys "item:") do list[i] = store.get(key) end
  return { json = { items = list, mode = mode() } }
end })

changing("create", "POST /items", "editor", function(body)
  local item_type = text_of(body, "item_type", 1)
  if not ({ assembly = 1, part = 1, bought = 1, document = 1 })[item_type] then
    sluice.refuse(422, "item_type", "There is no such type.")
  end
  local item = add(item_type, text_of(body, "description", 1))
  publish("item.created", { part_number = item.part_number, description = item.description, item_type = item_type })
  return { status = 201, json = item }
end)

changing("revise", "POST /items/{part_number}/revisions", "editor", function(body, item)
  local comment = text_of(body, "comment", 0)
  item.revision = item.revision + 1
  store.set("item:" .. item.part_number, item)
  publish("revision.created", { part_number = item.part_number, revision_number = item.revision, comment = comment })
  publish("item.updated", { part_number = item.part_number, revision = item.revision })
  return { status = 201, json = item }
end)

changing("delete", "DELETE /items/{part_number}", "admin", function(_, item)
  store.delete("item:" .. item.part_number)
  publish("item.deleted", { part_number = item.part_number })
  return 204
end)

changing("mode", "PUT /mode", "admin", function(body)
  local wanted = text_of(body, "mode", 1)
  if not ({ normal = 1, ["read-only"] = 1, maintenance = 1 })[wanted] then
    sluice.refuse(422, "mode", "There is no such mode.")
  end
  store.set("mode", wanted)
  publish("server.state", { mode = wanted }, "mode-" .. store.increment "modes")
  return 204
end)
