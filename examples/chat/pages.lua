-- examples/chat/pages.lua: the page that a browser loads, beside rules/posta.lua and from the same origin.
-- Its files are served from here; its HTML comes from the posta server, to which requests are passed on.
local sluice = require "sluice"
local http   = require "sluice.http"

local app   = sluice.app "pages"
local POSTA = sluice.env("POSTA_URL", "http://127.0.0.1:8090")

app:static("page",   "/",         "public")
app:static("htmx",   "/lib/htmx", "node_modules/htmx.org/dist")
app:static("sse",    "/lib/sse",  "node_modules/htmx-ext-sse")
app:static("client", "/client",   "../../client")

-- A posta server that is away raises in here: the browser gets a 5xx, and the page keeps what it shows.
local function forward(req)
  local answer = http.request {
    method  = req.method,
    url     = POSTA .. req.target,
    body    = req.body,
    headers = {
      cookie             = req.headers.cookie,
      ["content-type"]   = req.headers["content-type"],
      ["x-session-tag"]  = req.tag,
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

app:route("login",         "POST /login",                     { run = forward })
app:route("logout",        "POST /logout",                    { run = forward })
app:route("app",           "GET /ui/app",                     { run = forward })
app:route("conversations", "GET /ui/conversations",           { run = forward })
app:route("nobody",        "GET /ui/thread",                  { run = forward })
app:route("thread",        "GET /ui/thread/{peer}",           { run = forward })
app:route("messages",      "GET /ui/thread/{peer}/messages",  { run = forward })
app:route("send",          "POST /ui/thread/{peer}/messages", { run = forward })
