-- examples/inventory/pages.lua: the page that a browser loads, from the same origin as the feed. Its files are served
-- from here; what it asks of the inventory is passed on.
local sluice = require "sluice"
local http   = require "sluice.http"

local app  = sluice.app "pages"
local SILO = sluice.env("SILO_URL", "http://127.0.0.1:8290")

app:static("page", "/", "public")

-- An inventory that is away raises in here: the browser gets a 5xx, and the page keeps what it shows.
local function forward(req)
  local answer = http.request {
    method  = req.method,
    url     = SILO .. req.target,
    body    = req.body ~= "" and req.body or nil,
    headers = { cookie = req.headers.cookie, ["content-type"] = req.headers["content-type"] },
  }
  return {
    status  = answer.status,
    body    = answer.body,
    headers = {
      ["content-type"] = answer.headers["content-type"],
      ["set-cookie"]   = answer.headers["set-cookie"],
    },
  }
end

for _, where in ipairs {
  "GET /me", "POST /login", "POST /logout", "GET /items", "POST /items", "POST /items/{part_number}/revisions",
  "DELETE /items/{part_number}", "PUT /mode",
} do
  app:route(where:gsub("%W+", "-"):gsub("-$", ""), where, { run = forward })
end
