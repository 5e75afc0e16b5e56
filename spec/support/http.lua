--- A small HTTP/1.1 client on tcp.lua. `http.get` and its like for one answer; `http.connect` for a
-- connection that is kept, pipelined or fed by hand; `http.decoder` for streams.

local cjson = require "cjson.safe"
local tcp   = require "spec.support.tcp"
local wait  = require "spec.support.wait"

local http   = {}
local client = {}
client.__index = client

--- Reads answers off a byte stream (RFC 9112). Calls `on.head(answer)`, `on.body(bytes)`, `on.done(answer)`;
-- `method_of()` says which method the next answer is to. Returns `feed(bytes)` and `finish()`, for the end of input.
function http.decoder(on, method_of)
  local input, read, answer, left = "", nil, nil, nil

  local function done()
    local finished = answer
    answer, read = nil, nil
    on.done(finished)
  end
  local function line()
    local text, rest = input:match "^(.-)\r\n(.*)$"
    if text then input = rest end
    return text
  end
  local function body(count)
    local bytes = input:sub(1, count)
    input = input:sub(count + 1)
    if bytes ~= "" then on.body(bytes) end
    return #bytes
  end

  local function fixed()
    left = left - body(left)
    if left == 0 then done() end
    return left == 0 or nil
  end
  local function until_close()
    body(#input)
  end
  local chunk_size
  local function trailer()
    local text = line()
    if text == "" then done() end
    return text
  end
  local function chunk_data()
    if left > 0 then left = left - body(left) end
    if left > 0 or #input < 2 then return nil end
    assert(line() == "", "a chunk is longer than it says")
    read = chunk_size
    return true
  end
  function chunk_size()
    local text = line()
    if not text then return nil end
    left = assert(tonumber(text:match "^%x+", 16), "a chunk without a size: " .. text)
    read = left == 0 and trailer or chunk_data
    return true
  end

  local function head()
    local stop = select(2, input:find("\r\n\r\n", 1, true))
    if not stop then return nil end
    local text = input:sub(1, stop)
    input = input:sub(stop + 1)
    local status, reason = text:match "^HTTP/1%.1 (%d%d%d) ?([^\r]*)\r\n"
    assert(status, "not an answer: " .. text)
    local headers = {}
    for name, value in text:gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
      name = name:lower()
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
    if status:sub(1, 1) == "1" then return true end
    answer = { status = tonumber(status), reason = reason, headers = headers, text = text }
    local method = method_of()
    left = tonumber(headers["content-length"])
    if method == "HEAD" or answer.status == 204 or answer.status == 304 then read, left = fixed, 0
    elseif headers["transfer-encoding"] == "chunked" then read = chunk_size
    elseif left then read = fixed
    else read = until_close end
    on.head(answer)
    return true
  end

  local function feed(bytes)
    input = input .. bytes
    while (read or head)() do end
  end
  local function finish()
    if read == until_close then return done() end
    if answer or input ~= "" then on.cut(answer) end
  end
  return feed, finish
end

local function encode(request)
  local headers, body = {}, request.body
  for name, value in pairs(request.headers or {}) do headers[name:lower()] = value end
  if request.json ~= nil then
    body = cjson.encode(request.json)
    headers["content-type"] = headers["content-type"] or "application/json"
  end
  headers.host = headers.host or "localhost"
  if body then headers["content-length"] = headers["content-length"] or #body end
  local lines = { ("%s %s HTTP/1.1"):format(request.method or "GET", request.path or "/") }
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end
http.encode = encode

--- A connection to `address`. `client.ended` once the server closed it, `client.cut` if amid an answer.
function http.connect(address)
  local self = setmetatable({ tcp = tcp.connect(address), _methods = {}, _answers = {} }, client)
  local parts
  local feed, finish = http.decoder({
    head = function() parts = {} end,
    body = function(bytes) parts[#parts + 1] = bytes end,
    done = function(answer)
      answer.body = table.concat(parts)
      answer.json = function() return assert(cjson.decode(answer.body)) end
      table.insert(self._answers, answer)
    end,
    cut  = function() self.cut = true end,
  }, function() return table.remove(self._methods, 1) end)
  self.tcp.on_input = function(conn)
    feed(conn:take(#conn.input))
    if conn.eof then
      self.ended = true
      finish()
    end
  end
  return self
end

--- Sends bytes as they are.
function client:send(bytes) self.tcp:send(bytes) end

--- Sends a request `{ method, path, headers, body | json }` without waiting for its answer.
function client:start(request)
  table.insert(self._methods, request.method or "GET")
  self.tcp:send(encode(request))
end

--- The next answer: `{ status, reason, headers, body, json() }`, header names in lower case.
function client:answer(timeout)
  wait.wait_until(function() return self._answers[1] or self.ended end, timeout or 5, "an answer")
  return table.remove(self._answers, 1) or error("the server closed the connection without an answer", 2)
end

function client:request(request)
  self:start(request)
  return self:answer(request.timeout)
end

--- Waits for the server to close.
function client:wait_end(timeout)
  wait.wait_until(function() return self.ended end, timeout, "the server to close the connection")
end

function client:close() self.tcp:close() end

--- One request on a connection of its own.
function http.request(address, request)
  local one = http.connect(address)
  local answer = one:request(request)
  one:close()
  return answer
end

function http.get(address, path, headers)
  return http.request(address, { path = path, headers = headers })
end

--- `what` is `{ headers, body | json }`.
function http.post(address, path, what)
  what = what or {}
  return http.request(address, { method = "POST", path = path, headers = what.headers,
                                 body = what.body or what.json == nil and "" or nil, json = what.json })
end

return http
