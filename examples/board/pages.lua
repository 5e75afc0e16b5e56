-- examples/board/pages.lua: the page that a browser loads, beside the board's rules and from the same origin.
-- Its files are served from here; what it asks of the boards' server is passed on.
local sluice = require "sluice"
local http   = require "sluice.http"

local app    = sluice.app "pages"
local BOARDS = sluice.env("BOARDS_URL", "http://127.0.0.1:8190")

app:static("page",   "/",       "public")
app:static("client", "/client", "../../client")

-- A server that is away raises in here: the browser gets a 5xx, and the page keeps what it shows.
local function forward(req)
  local answer = http.request {
    method  = req.method,
    url     = BOARDS .. req.target,
    body    = req.body ~= "" and req.body or nil,
    headers = {
      cookie            = req.headers.cookie,
      ["content-type"]  = req.headers["content-type"],
      ["x-session-tag"] = req.tag,
    },
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
  "GET /me", "POST /login", "POST /logout",
  "GET /projects", "GET /projects/{project}", "PATCH /projects/{project}", "DELETE /projects/{project}",
  "PUT /projects/{project}/members/{user}", "DELETE /projects/{project}/members/{user}",
  "POST /projects/{project}/columns", "PUT /projects/{project}/order",
  "PATCH /columns/{column}", "DELETE /columns/{column}",
  "POST /cards/{card}/move", "PUT /cards/{card}/links/{to}", "DELETE /cards/{card}/links/{to}",
} do
  app:route(where:gsub("%W+", "-"):gsub("-$", ""), where, { run = forward })
end
