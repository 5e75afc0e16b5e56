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
    local from = 1
    while true do
      local at, stop = pending:find("\r\n?", from)
      local newline = pending:find("\n", from, true)
      if newline and (not at or newline < at) then at, stop = newline, newline end
      -- A CR that ends the bytes at hand may be half of a CRLF.
      if not at or (pending:byte(stop) == 13 and stop == #pending) then break end
      line(pending:sub(from, at - 1))
      from = stop + 1
    end
    pending = pending:sub(from)
  end

  return feed, function() return last_id end
end

--- Opens a stream and waits for its head. `options`: path ("/events"), headers, last_event_id,
-- receive_buffer; `wait = false` does not wait, for many at once (`stream.status` is nil until then).
-- The stream keeps `status`, `headers`, `events`, `comments`, `retry`, `ended`; `body` where it is no event stream.
function sse.open(address, options)
  options = options or {}
  local headers = { accept = "text/event-stream" }
  for name, value in pairs(options.headers or {}) do headers[name:lower()] = value end
  headers["last-event-id"] = options.last_event_id

  local self = setmetatable({ events = {}, comments = {}, body = "", _next = 1 }, stream)
  local parse
  parse, self.last_id = sse.parser {
    event   = function(event) table.insert(self.events, event) end,
    comment = function(text) table.insert(self.comments, text) end,
    retry   = function(ms) self.retry = ms end,
  }
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
    while not found and self.events[self._next] do
      local event = self.events[self._next]
      self._next = self._next + 1
      if not type or event.type == type then found = event end
    end
    return found or self.ended
  end, timeout, "an event" .. (type and " " .. type or ""))
  return found or error("the stream ended before an event" .. (type and " " .. type or ""), 2)
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
