--- An EventSource for the end-to-end specs: a parser to the letter of WHATWG HTML 9.2.6, and a client that
-- keeps all it was sent.

local http = require "spec.support.http"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local sse    = {}
local stream = {}
stream.__index = stream

--- Calls `on.event{ type, data, id }`, `on.comment(text)`, `on.retry(ms)`; returns `feed(bytes)` and
-- `last_id()`, the last event id as a block's end set it.
function sse.parser(on)
  local pending, at_start = "", true
  local type, data, id, last_id = "", nil, "", ""

  local function dispatch()
    last_id = id
    if data and data ~= "" then
      on.event { type = type ~= "" and type or "message", data = data:sub(1, -2), id = last_id }
    end
    type, data = "", nil
  end

  local function line(text)
    if text == "" then return dispatch() end
    if text:sub(1, 1) == ":" then return on.comment(text:sub(2)) end
    local name, value = text:match "^([^:]*): ?(.*)$"
    if not name then name, value = text, "" end
    if name == "event" then type = value
    elseif name == "data" then data = (data or "") .. value .. "\n"
    elseif name == "id" and not value:find "%z" then id = value
    elseif name == "retry" and value:find "^%d+$" then on.retry(tonumber(value)) end
  end

  local function feed(bytes)
    pending = pending .. bytes
    if at_start then
      if #pending < 3 and ("\239\187\191"):sub(1, #pending) == pending then return end
      pending, at_start = pending:gsub("^\239\187\191", ""), false
    end
    local from, carriage = 1, 0
    while true do
      local newline = pending:find("\n", from, true) or math.huge
      if carriage < from then carriage = pending:find("\r", from, true) or math.huge end
      local at = math.min(newline, carriage)
      -- A CR that ends the bytes at hand may be half of a CRLF.
      if at == math.huge or carriage == #pending and at == carriage then break end
      line(pending:sub(from, at - 1))
      from = (newline == carriage + 1 and newline or at) + 1
    end
    pending = pending:sub(from)
  end

  return feed, function() return last_id end
end

local function new_stream()
  local self = setmetatable({ events = {}, comments = {}, body = "", _next = 1 }, stream)
  local parse
  parse, self.last_id = sse.parser {
    event   = function(event) table.insert(self.events, event) end,
    comment = function(text) table.insert(self.comments, text) end,
    retry   = function(ms) self.retry = ms end,
  }
  return self, parse
end

--- A stream that another client reads: `pull()` returns what came since the last call, or nil once it has ended.
function sse.follow(pull)
  local self, parse = new_stream()
  self.pull = function()
    local bytes = not self.ended and pull()
    if bytes then parse(bytes) else self.ended = true end
  end
  return self
end

--- Opens a stream and waits for its head. `options`: path ("/events"), headers, last_event_id,
-- receive_buffer; `wait = false` does not wait, for many at once (`stream.status` is nil until then).
-- The stream keeps `status`, `headers`, `events`, `comments`, `retry`, `ended`; `body` where it is no event stream.
function sse.open(address, options)
  options = options or {}
  local headers = { accept = "text/event-stream" }
  for name, value in pairs(options.headers or {}) do headers[name:lower()] = value end
  headers["last-event-id"] = options.last_event_id

  local self, parse = new_stream()
  local feed, finish = http.decoder({
    head = function(answer) self.status, self.headers = answer.status, answer.headers end,
    body = function(bytes)
      if (self.headers["content-type"] or ""):find "^text/event%-stream" then parse(bytes)
      else self.body = self.body .. bytes end
    end,
    done = function() self.ended = true end,
    cut  = function() self.ended, self.cut = true, true end,
  }, function() return "GET" end)

  self.tcp = tcp.connect(address, options)
  self.tcp.on_input = function(conn)
    feed(conn:take(#conn.input))
    if conn.eof then
      finish()
      self.ended = true
    end
  end
  self.tcp:send(http.encode { path = options.path or "/events", headers = headers })
  if options.wait ~= false then
    wait.wait_until(function() return self.status or self.ended end, 5, "the stream's head")
  end
  return self
end

--- The next event that no call has returned yet; of `type` only, skipping others, where one is given.
function stream:next(type, timeout)
  local found
  wait.wait_until(function()
    if self.pull then self.pull() end
    while not found and self.events[self._next] do
      local event = self.events[self._next]
      self._next = self._next + 1
      if not type or event.type == type then found = event end
    end
    return found or self.ended
  end, timeout, "an event" .. (type and " " .. type or ""))
  return found or error("the stream ended before an event" .. (type and " " .. type or ""), 2)
end

--- Waits until `count` events of `type` have come, and returns the data of all of them.
function stream:wait_count(type, count, timeout)
  wait.wait_until(function()
    if self.pull then self.pull() end
    return self:count(type) >= count or self.ended
  end, timeout, ("%d events %s"):format(count, type))
  return self:data(type)
end

--- The data of all events of `type` so far, in order.
function stream:data(type)
  local data = {}
  for _, event in ipairs(self.events) do
    if event.type == type then data[#data + 1] = event.data end
  end
  return data
end

--- The types of all events so far, `ready` among them.
function stream:types()
  local types = {}
  for i, event in ipairs(self.events) do types[i] = event.type end
  return types
end

--- How many events of `type` have come.
function stream:count(type)
  local count = 0
  for _, event in ipairs(self.events) do
    if event.type == type then count = count + 1 end
  end
  return count
end

function stream:wait_end(timeout)
  wait.wait_until(function() return self.ended end, timeout, "the stream to end")
end

function stream:stall() self.tcp:pause() end
function stream:resume() self.tcp:resume() end
function stream:close() self.tcp:close() end

return sse
