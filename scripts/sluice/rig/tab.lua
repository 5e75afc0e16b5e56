-- One browser tab, or any other client of a stream, and the requests that it makes.

local json = require "cjson.safe"
local network = require "sluice.rig.network"

local Tab = {}
Tab.__index = Tab

local function encode(text)
  return (tostring(text):gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Whom the request is known to be of, so that no identity is asked. Data may be JSON already.
local function add_known(request, as)
  if not as then return request end
  local data = as.data
  if type(data) == "string" and json.decode(data) == nil then error("as.data is a text that is no JSON", 0) end
  if data ~= nil and type(data) ~= "string" then data = assert(json.encode(data)) end
  request.known, request.user, request.data = true, as.user, data
  request.named, request.topics = as.topics ~= nil, as.topics
  return request
end

-- The core's request out of a path with its query and the options of connect and request.
local function build(method, path, options)
  local bare, query = path:match "^([^?]*)%??(.*)$"
  for name, value in pairs(options.query or {}) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      query = query .. (query == "" and "" or "&") .. encode(name) .. "=" .. encode(one)
    end
  end
  local headers = { { "host", "127.0.0.1:8080" } }
  local function add(name, value)
    if value ~= nil then headers[#headers + 1] = { name, tostring(value) } end
  end
  add("cookie", options.cookie)
  add("x-session-tag", options.tag or nil)
  add("last-event-id", options.last_event_id)
  for name, value in pairs(options.headers or {}) do add(name:lower(), value) end
  local body = options.body or ""
  if options.json ~= nil then
    body = json.encode(options.json)
    add("content-type", "application/json")
  end
  return add_known({ method = method, path = bare, query = query, headers = headers, body = body,
    address = options.address, listener = options.listener, trusted = options.trusted,
    secure = options.secure }, options.as)
end

function Tab.new(world, path, options, number)
  local self = setmetatable({
    world = world, path = path, options = options, received = {}, pending = "", state = "waiting",
    tag = options.tag, name = options.name or ("tab " .. number), retry = nil, last_id = "",
  }, Tab)
  if options.tag == nil then self.tag = ("tab-%013d"):format(number) end
  if options.tag == false then self.tag = nil end
  local sent = {}
  for name, value in pairs(options) do sent[name] = value end
  sent.tag = self.tag
  self.client = world.core:request(build("GET", path, sent))
  self.asked = options
  return self
end

--- A client whose request is made already, as a tab.
function Tab.adopt(world, client, path, name)
  return setmetatable({ world = world, client = client, path = path, options = {}, asked = {}, received = {},
    pending = "", state = "waiting", name = name, last_id = "" }, Tab)
end

-- One block of the event stream (WHATWG HTML 9.2.6), as the client would dispatch it.
function Tab:dispatch(block)
  local data, kind
  for line in (block .. "\n"):gmatch "([^\n]*)\n" do
    local field, value = line:match "^([^:]+):? ?(.*)$"
    if field == "data" then data = (data and data .. "\n" or "") .. value end
    if field == "event" then kind = value end
    if field == "id" then self.last_id = value end
    if field == "retry" then self.retry = tonumber(value) end
  end
  if not data then return end
  local event = { type = kind or "message", data = data, id = self.last_id }
  if event.type == "ready" then
    self.ready = json.decode(data)
    self.tag = type(self.ready.tag) == "string" and self.ready.tag or self.tag
  end
  self.received[#self.received + 1] = event
  local journal = self.world.journal_entries
  journal[#journal + 1] = { who = self.name, what = event.type, topic = self.world.topics[event.id],
    data = data, cursor = event.id }
end

-- Takes in what came since the last look.
function Tab:read()
  if self.gone then return end
  local state = self.world.core:client(self.client)
  self.status, self.why = state.status, state.why
  self.state = state.state
  self.headers = network.headers_of(state.head)
  self.pending = self.pending .. self.world.core:take(self.client)
  if state.status ~= 200 then
    self.body = self.pending
    return
  end
  while true do
    local at, past = self.pending:find("\n\n", 1, true)
    if not at then break end
    local block = self.pending:sub(1, at - 1)
    self.pending = self.pending:sub(past + 1)
    self:dispatch(block)
  end
end

--- Is the stream open?
function Tab:is_open() return self.state == "stream" end

--- All events so far: { type, data, id }, `ready` included.
function Tab:events() return self.received end

--- The types of all events so far but `ready`.
function Tab:types()
  local types = {}
  for _, event in ipairs(self.received) do
    if event.type ~= "ready" then types[#types + 1] = event.type end
  end
  return types
end

--- Forgets the events so far.
function Tab:clear()
  self.received = {}
  return self
end

--- The tab is closed, or the connection is cut: for the server it is the same.
function Tab:close()
  if self.gone then return end
  self:read()
  self.world.core:cut(self.client)
  self.gone, self.state = true, "ended"
  self.world.by_client[self.client] = nil
  return self.world:run()
end
Tab.cut = Tab.close

--- The client takes no more than `bytes` (0) from now on, until :unstall().
function Tab:stall(bytes)
  self.world.core:allow(self.client, bytes or 0)
  return self
end

function Tab:unstall()
  self.world.core:allow(self.client)
  return self.world:run()
end

--- Comes back as EventSource does: same path, tag and, unless options say otherwise, last id.
function Tab:reconnect(options)
  self:close()
  local again = {}
  for name, value in pairs(self.asked) do again[name] = value end
  again.tag = self.tag or false
  if self.last_id ~= "" then again.last_event_id = self.last_id end
  for name, value in pairs(options or {}) do again[name] = value end
  if again.last_event_id == false then again.last_event_id = nil end
  return self.world:connect(again.path or self.path, again)
end

--- A request that is no stream. Returns { status, headers, body, json }; while the server has not
-- answered, status is nil: look again with :result() after the world has gone on.
function Tab.request(world, method, path, options)
  local client = world.core:request(build(method, path, options))
  local answer = {}
  function answer:result()
    local state = world.core:client(client)
    if state.state == "waiting" then return self end
    self.status, self.headers = state.status, network.headers_of(state.head)
    self.body = (self.body or "") .. world.core:take(client)
    self.json = json.decode(self.body)
    return self
  end
  --- The client goes away before it is answered.
  function answer.cut()
    world.core:cut(client)
    world:run()
  end
  world:run()
  return answer:result()
end

--- See World:publish.
function Tab.publish(world, path, events, options)
  local sent = { headers = {} }
  for name, value in pairs(options) do
    if name ~= "headers" then sent[name] = value end
  end
  for name, value in pairs(options.headers or {}) do sent.headers[name] = value end
  if options.key then sent.headers.authorization = "Bearer " .. options.key end
  sent.headers["idempotency-key"] = options.id
  sent[type(events) == "table" and "json" or "body"] = events
  return Tab.request(world, "POST", path, sent)
end

for _, method in ipairs { "get", "post", "put", "delete", "patch" } do
  --- tab:post(path, options): a request of this tab's page, with its tag and its cookie.
  Tab[method] = function(self, path, options)
    local sent = { tag = self.tag }
    for _, name in ipairs { "cookie", "address", "listener", "trusted", "secure", "as" } do
      sent[name] = self.asked[name]
    end
    for name, value in pairs(options or {}) do sent[name] = value end
    if not sent.headers then sent.headers = self.asked.headers end
    return Tab.request(self.world, method:upper(), path, sent)
  end
end

return Tab
