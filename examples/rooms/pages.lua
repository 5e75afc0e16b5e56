-- examples/rooms/pages.lua: the page that a browser loads, beside the rooms' rules and from the same origin.
-- Its files are served from here; what it asks of the rooms' app is passed on; and it is told which node serves it,
-- where there are several.
local sluice = require "sluice"
local http   = require "sluice.http"

local app = sluice.app "pages"
local APP = sluice.env("ROOMS_URL", "http://127.0.0.1:8390")

local NODE = sluice.env("ROOMS_NODE", "")

app:static("page", "/", "public")

app:route("node", "GET /node", { run = function() return { json = { node = NODE } } end })

-- An app that is away raises in here: the browser gets a 5xx, and the page says so.
local function forward(req)
  local answer = http.request {
    method  = req.method,
    url     = APP .. req.target,
    body    = req.body ~= "" and req.body or nil,
    headers = { authorization = req.headers.authorization, ["content-type"] = req.headers["content-type"] },
  }
  return {
    status  = answer.status,
    body    = answer.body,
    headers = { ["content-type"] = answer.headers["content-type"] },
  }
end

for name, where in pairs { people = "GET /people", login = "POST /login", rooms = "GET /rooms", jobs = "POST /jobs" } do
  app:route(name, where, { run = forward })
end
