-- What a stream is on the wire: its head, its first blocks, heartbeats, refusals, listeners.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local sse  = require "spec.support.sse"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "stream"

local session = sluice.identity(function(req)
  local user = req.headers["x-user"]
  if user == "nobody-knows" then error "the session service is away" end
  return user and { user = user }
end)

local all  = app:topic("all", { history = { size = 10 } })
local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })

local function topics(_, sub) return { all(), mine(sub.user) } end

app:stream("events",  { path = "/events",  identity = session, topics = topics })
app:stream("patient", { path = "/patient", identity = session, topics = topics, refusal = "retry", retry = 7,
                        heartbeat = 0 })

app:route("say", "POST /say/{type}", { run = function(req, params)
  all():emit(params.type, req.body)
  return 204
end })
app:route("tell", "POST /tell/{user}", { run = function(req, params)
  mine(params.user):emit("note", req.body)
  return 204
end })
]]

-- Has this machine IPv6 at all?
local HAS_SIX = pcall(function() tcp.listen(function() end, "[::1]:0"):close() end)

local ANN = { ["x-user"] = "ann" }

describe("a stream", function()
  it("begins with its headers, `retry:` and the verdict, then brings triggers", function()
    local server = e2e.server { rules = RULES }
    local raw = tcp.connect(server.address)
    raw:send(http.encode { path = "/events", headers = { ["X-User"] = "ann", ["X-Session-Tag"] = ("t"):rep(16) } })
    local head = raw:read_until "\r\n\r\n"
    assert.matches("^HTTP/1.1 200 OK\r\n", head)
    assert.matches("\r\nContent%-Type: text/event%-stream\r\n", head)
    assert.matches("\r\nCache%-Control: no%-store, no%-transform\r\n", head)
    assert.matches("\r\nX%-Accel%-Buffering: no\r\n", head)
    assert.matches("\r\nDate: %a+, %d%d %a+ %d+ [%d:]+ GMT\r\n", head)
    assert.is_nil(head:match "Content%-Length")
    assert.equal("retry: 2000\n\n", raw:read_until "\n\n")
    local ready = raw:read_until "\n\n"
    assert.matches('data: {"resumed":false,"missed":null,"tag":"tttttttttttttttt"}\n', ready)
    assert.matches("event: ready\n", ready)
    assert.matches("id: %w+\n", ready)
    http.post(server.address, "/say/tick", { body = "one\ntwo" })
    local tick = raw:read_until "\n\n"
    assert.matches("event: tick\n", tick)
    assert.matches("data: one\ndata: two\n", tick)
    assert.matches("id: " .. ("%x"):rep(32) .. "\n", tick)
  end)

  it("moves the cursor of a quiet tab by heartbeats", function()
    local server = e2e.server { rules = RULES, conf = "heartbeat = 0.2" }
    local tab = sse.open(server.address, { headers = ANN })
    local first = tab:next("ready").id
    http.post(server.address, "/tell/bob", { body = "not for ann" })
    wait.wait_until(function() return tab.last_id() ~= first end, 5, "a heartbeat with a new id")
    assert.same({ "ready" }, tab:types())
    local back = sse.open(server.address, { headers = ANN, last_event_id = tab.last_id() })
    assert.matches('"resumed":true,"missed":0', back:next("ready").data)
    local silent = sse.open(server.address, { path = "/patient", headers = ANN })
    local id = silent:next("ready").id
    http.post(server.address, "/tell/bob", { body = "nor this" })
    wait.pass(0.5)
    assert.equal(id, silent.last_id())
  end)

  it("answers HEAD with its headers, and begins nothing", function()
    local server = e2e.server { rules = RULES }
    local answer = http.request(server.address, { method = "HEAD", path = "/events", headers = { ["x-user"] = "ann" } })
    assert.equal(200, answer.status)
    assert.equal("text/event-stream", answer.headers["content-type"])
    assert.equal("no-store, no-transform", answer.headers["cache-control"])
    assert.is_nil(answer.headers["content-length"])
    assert.equal(0, server:ready().subscribers)
  end)

  it("refuses with a status, a reason as JSON, and a time to come back", function()
    local server = e2e.server { rules = RULES, conf = "streams = 1", errors = "the session service is away" }
    local function refused(path, user)
      local answer = http.get(server.address, path, { ["x-user"] = user })
      assert.equal("application/json", answer.headers["content-type"])
      assert.equal("no-store", answer.headers["cache-control"])
      return answer.status, answer.json().error.code, tonumber(answer.headers["retry-after"])
    end
    assert.same({ 401, "unauthorized" }, { refused "/events" })
    assert.same({ 403, "forbidden" }, { refused("/events?topic=user:bob", "ann") })
    assert.same({ 403, "forbidden" }, { refused("/events?topic=no-such-topic", "ann") })
    local status, code, after = refused("/events", "nobody-knows")
    assert.same({ 503, "unavailable" }, { status, code })
    assert.is_true(after >= 1 and after <= 5)
    local tab = sse.open(server.address, { path = "/events?topic=user:ann", headers = ANN })
    tab:next "ready"
    status, code, after = refused("/events", "bob")
    assert.same({ 503, "full" }, { status, code })
    assert.is_true(after >= 1 and after <= 5)
    assert.equal(204, http.post(server.address, "/say/x").status)
    assert.equal(1, server:metric 'sluice_streams_refused_total{reason="full"}')
    assert.equal(2, server:metric 'sluice_streams_refused_total{reason="forbidden"}')
  end)

  it("refuses what is not final with a stream that ends, where the rules say so", function()
    local server = e2e.server { rules = RULES, errors = "the session service is away" }
    local tab = sse.open(server.address, { path = "/patient", headers = { ["x-user"] = "nobody-knows" } })
    assert.equal(200, tab.status)
    assert.equal("text/event-stream", tab.headers["content-type"])
    tab:wait_end()
    assert.is_true(tab.retry >= 2000 and tab.retry < 10000)
    assert.equal(1, #tab.comments)
    assert.same({}, tab.events)
    assert.equal(401, http.get(server.address, "/patient").status)
    tab = sse.open(server.address, { path = "/patient", headers = ANN })
    tab:next "ready"
    assert.equal(7000, tab.retry)
  end)

  it("is served on every listener, Unix sockets among them", function()
    local folder = e2e.folder()
    local path   = "unix:" .. folder .. "/sluice.sock"
    local server = e2e.server { rules = RULES, conf = ('listen = { "127.0.0.1:0", %q, "*:0" }'):format(path) }
    local one, two, every = unpack(server.addresses)
    assert.equal(path, two)
    local port = every:match "^%*:(%d+)$"
    local places, tabs = { one, two, "127.0.0.1:" .. port }, {}
    if HAS_SIX then places[4] = "[::1]:" .. port end
    for i, address in ipairs(places) do tabs[i] = sse.open(address, { headers = ANN }) end
    http.post(path, "/say/tick", { body = "to all" })
    for _, tab in ipairs(tabs) do assert.equal("to all", tab:next("tick").data) end
    server:stop()
    assert.is_nil((io.open(folder .. "/sluice.sock")))
  end)

  it("is not begun on a port that is taken: one sentence, exit code 2", function()
    local server = e2e.server { rules = RULES }
    local conf = assert(io.open(server.conf)):read("*a"):gsub("127%.0%.0%.1:0", server.address, 1)
    local code, output = e2e.run { "run", "-c", e2e.write(e2e.folder() .. "/second.conf", conf) }
    assert.equal(2, code)
    assert.equal(("cannot listen on %s: the port is taken\n"):format(server.address), output)
  end)
end)
