-- Random clients, publishes and reloads against the real binary, under invariants of each subscriber: complete and in
-- order, or told; nothing that it may not see; the numbers told are right; memory does not grow.
--
-- SOAK_SECONDS=n (4) a seed; from 15 on, what never occurred fails it. SOAK_SEEDS="1 2 3" ("1"). `make soak` is ten
-- minutes of one seed under sanitizers, `make soak-short` three seeds of 20 s.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local soak = require "spec.support.soak"
local sse  = require "spec.support.sse"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local SECONDS = tonumber(os.getenv "SOAK_SECONDS") or 4
local SEEDS   = os.getenv "SOAK_SEEDS" or "1"
local KEY     = "a key for the soak"
-- A Unix socket's buffer is small: who stalls there lags soon.
local CONF    = 'drain_timeout = 5\nlisten = { "127.0.0.1:0", "unix:%s/soak.sock" }\n'
local AUTHORIZED = { authorization = "Bearer " .. KEY }
local CLIENTS, USERS, ROOMS, PUBLISHERS = 60, 12, 6, 8
local RULES   = io.open(e2e.root .. "/spec/fixtures/soak.lua"):read "*a"
local BROKEN  = { RULES .. "\napp:strem 'x'\n", RULES .. "\nnot Lua\n", RULES:gsub('path      = "/events"', "") .. "" }

-- A generator of our own: math.random is the same for every seed of some C libraries.
local function generator(seed)
  local state = seed * 2654435761 % 2 ^ 32
  return function(count)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 65536) % count + 1
  end
end

local World = {}
World.__index = World

local function new_world(seed, server)
  local self = setmetatable({ server = server, random = generator(seed), rooms = {}, list = {}, clients = {},
                              publishers = {}, counts = setmetatable({}, { __index = function() return 0 end }),
                              asked = {} }, World)
  for n = 1, ROOMS do
    for _, kind in ipairs { "open", "closed" } do
      local room = soak.room(kind .. ":" .. n, kind == "closed")
      room.kind, room.name = kind, tostring(n)
      self.rooms[room.topic] = room
      self.list[#self.list + 1] = room
    end
  end
  for i = 1, PUBLISHERS do self.publishers[i] = {} end
  return self
end

function World:count(what) self.counts[what] = self.counts[what] + 1 end

function World:pick(list) return list[self.random(#list)] end

-- ---- requests that are answered some time: `done(answer)` ----

function World:ask(request, done)
  local client = http.connect(self.server.address)
  client:start(request)
  self.asked[#self.asked + 1] = { client = client, done = done, since = wait.now() }
end

function World:look_at_answers()
  local left = {}
  for _, asked in ipairs(self.asked) do
    local answer = asked.client._answers[1]
    if answer then
      asked.client:close()
      asked.done(answer)
    elseif asked.client.ended then
      error "a request was not answered"
    else
      assert(wait.now() - asked.since < 10 * wait.patience, "a request was not answered in time")
      left[#left + 1] = asked
    end
  end
  self.asked = left
end

-- ---- publishing: one after the other in a room, so that its order is known ----

function World:publish(room, again)
  local number = again or room:next()
  room.busy = true
  local id = ("%s-%d"):format(room.topic, number)
  local said = { type = "say", id = id, data = { kind = room.kind, room = room.name, number = number } }
  self:ask({ method = "POST", path = "/publish", json = said, headers = AUTHORIZED },
    function(answer)
      room.busy = nil
      if answer.status == 200 then
        self:count(again and "published again" or "published")
        room.newest_body = said
      else
        self:count("publish " .. answer.status)
        self:publish(room, number)
      end
    end)
end

-- The same id once more is no second trigger; another body under it is refused.
function World:duplicate()
  local room = self:pick(self.list)
  local said = room.newest_body
  if room.busy or not said then return end
  local other = self.random(3) == 1
  local body = { type = said.type, id = said.id, data = { kind = said.data.kind, room = said.data.room,
    number = other and 0 or said.data.number } }
  self:ask({ method = "POST", path = "/publish", json = body, headers = AUTHORIZED },
    function(answer)
      assert.equal(other and 409 or 200, answer.status, answer.body)
      self:count(other and "conflict" or "duplicate")
    end)
end

local BAD = {
  { json = { type = 7 }, key = KEY, status = 422 }, { json = { type = "fail" }, key = KEY, status = 500 },
  { json = { type = "say" }, key = "another", status = 401 }, { body = "{", key = KEY, status = 400 },
}

function World:publish_badly()
  local bad = self:pick(BAD)
  self:ask({ method = "POST", path = "/publish", json = bad.json, body = bad.body,
             headers = { authorization = "Bearer " .. bad.key, ["content-type"] = "application/json" } },
    function(answer)
      assert.is_true(answer.status >= 400, answer.body)
      self:count "bad publish"
    end)
end

-- Who may see a closed room changes between two of its triggers.
function World:permit()
  local room = self:pick(self.list)
  if room.busy or not room.permitted then return end
  local user = "u" .. self.random(USERS)
  local may = not room.may[user]
  room.busy = true
  self:ask({ method = "POST", body = "", path = ("/permit/%s/%s/%s"):format(room.name, user, may and "yes" or "no") },
    function(answer)
      assert.equal(204, answer.status, answer.body)
      room.busy = nil
      room:permit(user, may)
      self:count(may and "permitted" or "revoked")
    end)
end

-- ---- clients ----

-- Tells the reader what has come since.
local function look_at(client)
  local stream = client.stream
  while client.seen < #stream.events do
    client.seen = client.seen + 1
    local event = stream.events[client.seen]
    local topic = event.type == "say" and event.data:match "^%S+"
    if event.type == "ready" then client.ready = true end
    if not (topic and not client.reader.places[topic] and client.dropped and client.dropped[topic]) then
      client.reader:event(event)
    end
    stream.events[client.seen] = false
  end
end

local function open(client)
  local reader = client.reader
  local query = { "user=" .. reader.user, "tag=" .. client.tag }
  for topic in pairs(reader.places) do query[#query + 1] = "topic=" .. topic end
  client.stream = sse.open(client.address, { path = "/events?" .. table.concat(query, "&"),
    last_event_id = reader.last_id, receive_buffer = 4096, wait = false })
  client.seen, client.stalled, client.ready = 0, nil, nil
end

function World:join()
  if #self.clients >= CLIENTS then return end
  local client = { reader = soak.reader(self.rooms, "u" .. self.random(USERS), self.counts),
                   tag = ("tab-%d-%015d"):format(self.random(1000), self.counts.joins),
                   address = self:pick(self.server.addresses) }
  for _ = 1, self.random(4) do client.reader:joins(self:pick(self.list).topic) end
  open(client)
  self.clients[#self.clients + 1] = client
  self:count "joins"
end

function World:leave()
  if #self.clients < CLIENTS / 2 then return end
  local client = table.remove(self.clients, self.random(#self.clients))
  client.gone = true
  client.stream:close()
  self:count "leaves"
end

-- Cut amid whatever it is doing, and back after a while with what it had.
function World:cut()
  local client = #self.clients > 0 and self:pick(self.clients)
  if not client or client.asking or client.stalled or client.away then return end
  look_at(client)
  if self.random(2) == 1 then client.stream.tcp:abort() else client.stream:close() end
  client.reader:cut()
  client.away, client.ready = wait.now() + self.random(80) / 100, nil
  self:count "cuts"
end

function World:stall()
  local client = #self.clients > 0 and self:pick(self.clients)
  if not client or client.stalled or client.away then return end
  client.stream:stall()
  client.stalled = wait.now() + self.random(60) / 10
  self:count "stalls"
end

-- A topic more, or one less, of a stream that goes on.
function World:change()
  local client = #self.clients > 0 and self:pick(self.clients)
  if not client or not client.ready or client.asking then return end
  local reader, topic = client.reader, self:pick(self.list).topic
  local has = reader.places[topic] ~= nil
  client.asking = true
  if not has then reader:joins(topic) end
  self:ask({ method = has and "DELETE" or "POST", body = "", path = ("/topics/%s?user=%s&tag=%s"):format(
    (topic:gsub(":", "%%3A")), reader.user, client.reader.tag) },
    function(answer)
      client.asking = nil
      if client.gone then return end
      if answer.status == 204 and has then
        -- What was on its way before it left is still good.
        look_at(client)
        client.dropped = client.dropped or {}
        client.dropped[topic] = reader.places[topic]
        reader:leaves(topic)
      elseif answer.status == 204 then
        reader:has(topic)
      elseif not has then
        reader:leaves(topic)
      end
      self:count(answer.status == 204 and (has and "topics left" or "topics joined") or "topics not changed")
    end)
end

local GARBAGE = { "GARBAGE\r\n\r\n", "GET /events HTTP/1.1\r\nHost: a\r\n",
  "POST /publish HTTP/1.1\r\nContent-Length: 9",
  "\0\1\2\3", "GET /events HTTP/1.1\r\nx: " .. ("y"):rep(40000), "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" }

function World:send_garbage()
  local conn = tcp.connect(self.server.address)
  conn:send(self:pick(GARBAGE))
  self.garbage = self.garbage or {}
  table.insert(self.garbage, conn)
  if #self.garbage > 20 then table.remove(self.garbage, 1):close() end
  self:count "garbage"
end

function World:reload()
  self.tries = (self.tries or 0) + 1
  local broken = self.tries % 3 == 0
  e2e.write(self.server.folder .. "/rules/app.lua", broken and self:pick(BROKEN) or RULES)
  local answer = http.post(self.server.admin, "/reload", { headers = { ["x-sluice-admin"] = "1" } })
  assert.equal(broken and 409 or 200, answer.status, answer.body)
  self:count(broken and "reloads refused" or "reloads")
end

-- ---- looking ----

function World:look()
  local now = wait.now()
  for _, client in ipairs(self.clients) do
    look_at(client)
    if client.stalled and client.stalled < now then
      client.stalled = nil
      client.stream:resume()
    end
    if client.away and client.away < now then
      client.away = nil
      open(client)
    elseif client.stream.ended and not client.away then
      assert.equal(200, client.stream.status or 200)
      self:count "ended by the server"
      client.reader:cut()
      open(client)
    end
  end
  self:look_at_answers()
end

local DEEDS = { publish = 60, duplicate = 3, publish_badly = 2, permit = 4, join = 6, leave = 2, cut = 6, stall = 8,
                change = 6, send_garbage = 1 }
local hat = {}
for deed, weight in pairs(DEEDS) do
  for _ = 1, weight do hat[#hat + 1] = deed end
end
table.sort(hat)

function World:act()
  local deed = self:pick(hat)
  if deed ~= "publish" then return self[deed](self) end
  local room = self:pick(self.list)
  for _ = 1, self.random(10) == 1 and 40 or 1 do
    if not room.busy then self:publish(room) end
    room = self:pick(self.list)
  end
end

-- Everything ends well: stalled ones read on, every room gets a last trigger, and everybody has what it may see.
function World:finish()
  for _, client in ipairs(self.clients) do
    client.stalled = nil
    client.away = client.away and 0
    if not client.away then client.stream:resume() end
  end
  local function quiet()
    self:look()
    for _, room in ipairs(self.list) do
      if room.busy then return false end
    end
    return #self.asked == 0
  end
  wait.wait_until(quiet, 20, "what is under way")
  for _, client in ipairs(self.clients) do
    wait.wait_until(function() self:look(); return client.ready end, 20, "a stream to be there")
  end
  for _, room in ipairs(self.list) do self:publish(room) end
  wait.wait_until(quiet, 20, "the last triggers")
  wait.wait_until(function()
    self:look()
    for _, client in ipairs(self.clients) do
      if client.reader:missing() then return false end
    end
    return true
  end, 20, "everybody to have all that it may see")
end

-- Who is present is who has a stream.
function World:check_presence()
  local there, users = {}, {}
  for _, client in ipairs(self.clients) do there[client.reader.user] = true end
  for user in pairs(there) do users[#users + 1] = user end
  table.sort(users)
  wait.wait_until(function()
    return table.concat(http.get(self.server.address, "/here").json(), " ") == table.concat(users, " ")
  end, 10, "those to be present who are: " .. table.concat(users, " "))
end

local OCCUR = { "published", "duplicate", "conflict", "bad publish", "permitted", "revoked", "joins", "leaves", "cuts",
  "stalls", "topics joined", "topics left", "garbage", "reloads", "reloads refused", "resumed", "resync lagged",
  "exact", "said" }

local function tell(counts)
  local names, words = {}, {}
  for name in pairs(counts) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do words[i] = ("%s %d"):format(name, counts[name]) end
  return table.concat(words, ", ")
end

-- Kilobytes a minute by least squares, over what was measured in the last two thirds.
local function slope(samples)
  local from = math.floor(#samples / 3) + 1
  local n, sx, sy, sxx, sxy = 0, 0, 0, 0, 0
  for i = from, #samples do
    local x, y = samples[i][1], samples[i][2]
    n, sx, sy, sxx, sxy = n + 1, sx + x, sy + y, sxx + x * x, sxy + x * y
  end
  return 60 * (n * sxy - sx * sy) / (n * sxx - sx * sx), sy / n
end

describe("a soak", function()
  for seed in SEEDS:gmatch "%d+" do it("of seed " .. seed .. " keeps its promises", function()
    local socket_folder = e2e.folder()
    local server = e2e.server { rules = RULES, conf = CONF:format(socket_folder), env = { SOAK_KEY = KEY,
      ASAN_OPTIONS = "detect_leaks=1:exitcode=99:quarantine_size_mb=4" }, errors = "" }
    local world, samples = new_world(tonumber(seed), server), {}
    local begun, next_reload, next_sample, next_act = wait.now(), wait.now() + 1, wait.now() + 1, wait.now()
    while wait.now() - begun < SECONDS do
      local now = wait.now()
      while next_act < now do
        world:act()
        next_act = next_act + 0.004
      end
      if now > next_reload then
        world:reload()
        next_reload = now + world.random(12) / 10
      end
      if now > next_sample then
        samples[#samples + 1] = { now - begun, server:memory() }
        next_sample = now + 0.25
      end
      world:look()
      wait.turn(2)
    end
    world:finish()
    world:check_presence()
    local grows, mean = slope(samples)
    print(("\nseed %s: %s; %.0f kB, growing by %.0f kB a minute"):format(seed, tell(world.counts), mean, grows))
    for _, what in ipairs(SECONDS >= 15 and OCCUR or {}) do
      assert.is_true(world.counts[what] > 0, what .. " never occurred")
    end
    if SECONDS >= 60 then
      assert.is_true(grows < 0.02 * mean, ("memory grows: %.0f kB a minute of %.0f kB"):format(grows, mean))
    end
    for _, client in ipairs(world.clients) do client.stream:close() end
  end) end
end)
