--- A scripted upstream: an SSE server on the loopback that does as the spec says, well or badly.
--
--   local posta = upstream.open()
--   local link  = posta:next()                -- waits for a stream to be asked for
--   link:send("inbound", "{}", "7")           -- type, data, id
--   posta:stop(); posta:start()               -- as a restart of it looks from outside

local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local upstream = {}
upstream.__index = upstream

local link = {}
link.__index = link

local function read_request(head)
  local method, target = head:match "^(%u+) (%S+) HTTP/1.1\r\n"
  local request = { method = method, target = target, headers = {} }
  for name, value in head:gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do request.headers[name:lower()] = value end
  return request
end

local function serve(self, conn)
  table.insert(self._connections, conn)
  conn.on_input = function()
    if conn.eof then
      conn.ended_at = wait.now()
      return conn:close()
    end
    local stop = select(2, conn.input:find("\r\n\r\n", 1, true))
    if not stop then return end
    local request = read_request(conn:take(stop))
    request.at, request.conn = wait.now(), conn
    table.insert(self.requests, request)
    local answer = self.answer(request)
    if type(answer) == "string" then return conn:send(answer) end
    conn:send "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    table.insert(self.links, setmetatable({ conn = conn, request = request }, link))
  end
end

--- Listens on a free port of the loopback, or on `address`. `requests` are all that came, oldest first, as
-- { method, target, headers, at }; `links` those that were answered with a stream. `answer(request)` may return the
-- text of another answer.
function upstream.open(answer, address)
  local self = setmetatable({ requests = {}, links = {}, answer = answer or function() end, address = address,
                              _connections = {}, _next = 1 }, upstream)
  self:start()
  self.url = "http://" .. self.address
  return self
end

function upstream:start()
  self._listener = tcp.listen(function(conn) serve(self, conn) end, self.address)
  self.address = self._listener.address
end

--- Ends it as the end of its process would: the listener and all connections are gone.
function upstream:stop()
  self._listener:close()
  for _, conn in ipairs(self._connections) do
    if not conn.closed then conn:close() end
  end
  self._connections = {}
end

--- The next stream that was asked for and that no call has returned yet.
function upstream:next(timeout)
  wait.wait_until(function() return self.links[self._next] end, timeout or 5, "the upstream to be asked for a stream")
  self._next = self._next + 1
  return self.links[self._next - 1]
end

--- Waits for the request with this number.
function upstream:request(number, timeout)
  wait.wait_until(function() return self.requests[number] end, timeout or 5,
                  ("request %d of the upstream, having %d"):format(number, #self.requests))
  return self.requests[number]
end

--- How many streams are open.
function upstream:open_links()
  local count = 0
  for _, one in ipairs(self.links) do
    if not one.conn.closed then count = count + 1 end
  end
  return count
end

--- The text of an answer without a stream. `headers` are lines.
function upstream.refusal(status, headers, body)
  body = body or ""
  return ("HTTP/1.1 %d No\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, headers or "", #body, body)
end

--- Sends an event.
function link:send(type, data, id)
  self.conn:send(("event: %s\n%sdata: %s\n\n"):format(type, id and "id: " .. id .. "\n" or "", data))
end

--- Waits for Sluice to close it.
function link:wait_closed(timeout)
  wait.wait_until(function() return self.conn.closed end, timeout or 5, "the link to be closed")
end

function link:cut() self.conn:abort() end

return upstream
