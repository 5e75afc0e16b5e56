--- The app's server of the chat (rules/posta.lua) as a spec plays it: sessions, a stream a user, and the rows that it
-- was told to be read.
--
--   local posta = postas.open()
--   posta:link("ann", 1):send("inbound", '{"peer":"bob","rowId":7}')
--   posta.reads            -- { { user = "ann", peer = "bob", row = 7 }, ... }, as they came
--   posta.hold = true      -- reads are not answered until posta:answer(status)
--   posta.status = 500     -- of the answers to reads

local cjson    = require "cjson.safe"
local tcp      = require "spec.support.tcp"
local wait     = require "spec.support.wait"

local postas = {}
local Posta  = {}
Posta.__index = Posta

local link = {}
link.__index = link

function link:send(type, data) self.conn:send(("event: %s\ndata: %s\n\n"):format(type, cjson.encode(data))) end

local function respond(conn, status, body)
  if conn.closed then return end
  conn:send(("HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(status,
    #(body or ""), body or ""))
end

local routes = {}

routes["GET /api/v1/session"] = function(_, conn, request)
  local user = request.headers.cookie:match "posta=(%w+)"
  respond(conn, 200, cjson.encode { user = user, token = user })
end

routes["GET /api/v1/events"] = function(self, conn, request)
  conn:send "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
  table.insert(self.links, setmetatable({ conn = conn, user = request.user }, link))
end

routes["POST /api/v1/contacts/read"] = function(self, conn, request)
  local read = cjson.decode(request.body)
  table.insert(self.reads, { user = request.user, peer = read.peer, row = read.rowId })
  if self.hold then table.insert(self.held, conn) else respond(conn, self.status) end
end

-- The next whole request of the input.
local function take_request(conn)
  local stop = select(2, conn.input:find("\r\n\r\n", 1, true))
  if not stop then return nil end
  local request = { headers = {} }
  for name, value in conn.input:sub(1, stop):gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
    request.headers[name:lower()] = value
  end
  local size = tonumber(request.headers["content-length"] or 0)
  if #conn.input < stop + size then return nil end
  request.name = conn.input:match "^%u+ %S+"
  request.user = (request.headers.authorization or ""):match "^Bearer (%w+)"
  request.body = conn:take(stop + size):sub(stop + 1)
  return request
end

local function serve(self, conn)
  conn.on_input = function()
    for request in take_request, conn do routes[request.name](self, conn, request) end
    if conn.eof then conn:close() end
  end
end

function postas.open()
  local self = setmetatable({ reads = {}, links = {}, held = {}, status = 204 }, Posta)
  self.url = "http://" .. tcp.listen(function(conn) serve(self, conn) end).address
  return self
end

--- Waits for the user's stream with this number, of those that are open.
function Posta:link(user, number)
  return wait.wait_until(function()
    local count = 0
    for _, one in ipairs(self.links) do
      if one.user == user and not one.conn.closed then count = count + 1 end
      if count == number then return one end
    end
  end, 20, ("stream %d of %s"):format(number, user))
end

--- Waits until so many reads have come, and returns the rows.
function Posta:rows(count, timeout)
  wait.wait_until(function() return #self.reads >= count end, timeout or 5, count .. " reads")
  local rows = {}
  for i, read in ipairs(self.reads) do rows[i] = read.row end
  return rows
end

--- Answers what was held, and holds no more.
function Posta:answer(status)
  self.hold = false
  for _, conn in ipairs(self.held) do respond(conn, status) end
  self.held = {}
end

return postas
