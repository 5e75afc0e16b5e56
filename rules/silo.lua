-- rules/silo.lua: the inventory's live activity feed. Everybody with the role of a viewer, or a higher one, sees all
-- changes; newcomers first learn which mode the server is in.
local sluice = require "sluice"
local fields = require "sluice.fields"
local http   = require "sluice.http"

local app  = sluice.app "silo"
local SILO = sluice.env("SILO_URL", "http://127.0.0.1:8290")
local KEY  = sluice.env "PUBLISH_KEY"                    -- what the inventory publishes with

-- Who is it? The inventory knows, by the cookie or the token that came along.
local session = sluice.identity(function(req)
  local headers = { cookie = req.headers.cookie, authorization = req.headers.authorization }
  if not next(headers) then return nil end
  local answer = http.get(SILO .. "/api/me", { headers = headers })
  if answer.status == 401 then return nil end
  if answer.status == 403 then return nil, "forbidden" end
  local who = answer:expect(200):json()
  return { user = who.user, data = { role = who.role } }
end)

local roles = sluice.roles { "viewer", "editor", "admin" }

local NUMBER = "the part's number"

local feed = app:topic("feed", {
  about     = "What happens to the parts.",
  types     = {
    ["item.created"]     = { about = "There is a new part.", fields = {
      part_number = NUMBER, description = "what it is, in words", item_type = "its kind" } },
    ["item.updated"]     = { about = "A part has changed.", fields = {
      part_number = NUMBER, revision = "its newest" } },
    ["item.deleted"]     = { about = "A part is gone.", fields = { part_number = NUMBER } },
    ["revision.created"] = { about = "A part has a new revision.", fields = {
      part_number = NUMBER, revision_number = "the revision's", comment = "what is new in it, in words" } },
  },
  subscribe = false,
  history   = { size = 512, ttl = 900 },
})

local state = app:topic("state", {
  about     = "How the inventory's server is; newcomers get it first.",
  types     = { ["server.state"] = { about = "It is in this mode now.", fields = { mode = "the mode's name" } } },
  subscribe = false,
  history   = { size = 512, ttl = 900 },
  retain    = true,
})

app:stream("events", {
  path      = "/api/events",
  identity  = roles:at_least("viewer", session),
  topics    = function() return { state(), feed() } end,
  heartbeat = { every = 30, event = "heartbeat", always = true },
})

-- Of each type the fields that it must have, and which alone go out.
local changes = {
  ["item.created"]     = fields.new { part_number = "name", description = "text", item_type = "name" },
  ["item.updated"]     = fields.new { part_number = "name", revision = "count|name" },
  ["item.deleted"]     = fields.new { part_number = "name" },
  ["revision.created"] = fields.new { part_number = "name", revision_number = "count|name", comment = "text" },
}
local mode = fields.new { mode = "name" }

local publish = app:ingest("publish", { path = "/publish", authorize = sluice.bearer(KEY) })

for type, shape in pairs(changes) do
  publish:on(type, function(ev) feed():emit(type, shape:of(ev)) end)
end
publish:on("server.state", function(ev) state():emit(ev.type, mode:of(ev)) end)
