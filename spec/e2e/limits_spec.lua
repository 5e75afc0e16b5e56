-- What a rule, a user or a crowd may take of the server, and that the others go on.

local cjson = require "cjson.safe"
local e2e   = require "spec.support.e2e"
local http  = require "spec.support.http"
local sse   = require "spec.support.sse"
local tcp   = require "spec.support.tcp"
local wait  = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local time   = require "sluice.time"
local app = sluice.app "greedy"
local who = sluice.identity(function(req) return { user = req.query.user } end)
local all = app:topic("all", { subscribe = false })
app:stream("events", { path = "/events", identity = who, topics = function() return all() end })

local run = {}
function run.loop()  while true do end end
function run.caught() while true do pcall(function() while true do end end) end end
function run.nested() coroutine.wrap(function() while true do end end)() end
function run.hog()   local text, list = ("x"):rep(1e6), {} for i = 1, 100 do list[i] = text .. i end end
function run.sleep() time.sleep(60) end
function run.raise() error { code = 7 } end
function run.half()  all():emit("half") error "after the emit" end
function run.nothing() end
function run.deep()  return run.deep() + 1 end
app:route("run", "POST /run/{how}", { run = function(_, params) return run[params.how]() end })
app:ingest("facts", { path = "/publish", authorize = who }):on("half", function() all():emit "half" end)
app:route("ping", "GET /ping", { run = function() return 200, "pong" end })
]]

local function post(server, how)
  local answer = http.post(server.address, "/run/" .. how)
  return answer.status, answer.json().error.code
end

describe("a rule", function()
  for how, said in pairs {
    loop   = "stopped: ran for more than 100 ms", caught = "stopped: ran for more than 100 ms",
    nested = "stopped: ran for more than 100 ms", hog    = "not enough memory",
    sleep  = "deadline of 300 ms",                raise  = "an error that is a table",
    half   = "after the emit",                    nothing = "a route must return a status",
    deep   = "stack overflow",
  } do
    it("fails by itself: " .. how, function()
      local server = e2e.server { rules = RULES, errors = "rule failed", conf = [[
        handler_slice = 0.1  handler_deadline = 0.3  app_memory = 16777216 ]] }
      local tab = sse.open(server.address, { path = "/events?user=ann" })
      tab:next "ready"
      assert.same({ 500, "rule_failed" }, { post(server, how) })
      assert.equal("pong", http.get(server.address, "/ping").body)
      assert.is_truthy(server:log():find(said, 1, true), server:log())
      assert.is_truthy(server:log():find("in=\"route run\"", 1, true), server:log())
      assert.same({ "ready" }, tab:types())
    end)
  end

  it("is told of in the log in one line each, and not without end", function()
    local server = e2e.server { rules = RULES, errors = "rule failed", conf = 'log_format = "json"' }
    for _ = 1, 50 do post(server, "half") end
    local lines = 0
    for line in server:log():gmatch "[^\n]+" do
      local fields = assert(cjson.decode(line), line)
      if fields.msg == "rule failed" then
        lines = lines + 1
        assert.equal("greedy", fields.app)
        assert.matches("app.lua:%d+: after the emit$", fields.error)
        assert.matches("app.lua:%d+", fields.traceback)
      end
    end
    assert.is_true(lines >= 1 and lines <= 10)
  end)
end)

describe("a user", function()
  it("has as many streams as the config says; another has as many again", function()
    local server = e2e.server { rules = RULES, conf = "streams_per_user = 2" }
    local function status(user)
      local tab = sse.open(server.address, { path = "/events?user=" .. user })
      return tab.status, tab
    end
    assert.equal(200, status "ann")
    local _, second = status "ann"
    assert.equal(503, status "ann")
    assert.equal(200, status "bob")
    second:close()
    wait.wait_until(function() return server:ready().subscribers == 2 end)
    assert.equal(200, status "ann")
  end)
end)

describe("a crowd", function()
  it("is turned away above `connections`; admin is not", function()
    local server = e2e.server { rules = RULES, conf = "connections = 5" }
    local held = {}
    for i = 1, 5 do
      held[i] = http.connect(server.address)
      held[i]:request { path = "/ping" }
    end
    local late = tcp.connect(server.address)
    late:send(http.encode { path = "/ping" })
    assert.matches("^HTTP/1.1 503 .*Retry%-After: 5.*\"full\"", late:read_all())
    assert.is_true(server:ready().ready)
    held[1]:close()
    wait.wait_until(function()
      local ok, answer = pcall(http.get, server.address, "/ping")
      return ok and answer.status == 200
    end)
  end)
end)

describe("an address", function()
  it("has as many connections as the config says; a trusted proxy has more, and admin is not counted", function()
    local server = e2e.server { rules = RULES, conf = "connections_per_address = 2" }
    local held = {}
    for i = 1, 2 do
      held[i] = http.connect(server.address)
      held[i]:request { path = "/ping" }
    end
    local late = tcp.connect(server.address)
    late:send(http.encode { path = "/ping" })
    assert.matches("^HTTP/1.1 503 .*Retry%-After: 5.*\"full\"", late:read_all())
    assert.equal(1, server:metric 'sluice_http_refused_total{reason="address"}')
    held[1]:close()
    wait.wait_until(function()
      local ok, answer = pcall(http.get, server.address, "/ping")
      return ok and answer.status == 200
    end)
    server:stop()
    server = e2e.server { rules = RULES, conf = 'connections_per_address = 2 trusted_proxies = "127.0.0.1"' }
    for _ = 1, 4 do assert.equal(200, http.connect(server.address):request({ path = "/ping" }).status) end
  end)

  it("has as many streams, and asks as often, as the config says: the client's, behind a proxy", function()
    local server = e2e.server { rules = RULES, conf = [[
      trusted_proxies = "127.0.0.1" streams_per_address = 1 route_rate_per_address = 1 route_burst_per_address = 2]] }
    local function open(client)
      return sse.open(server.address, { path = "/events?user=ann", headers = { ["X-Forwarded-For"] = client } }).status
    end
    local function ping(client)
      local answer = http.get(server.address, "/ping", { ["X-Forwarded-For"] = "6.6.6.6, " .. client })
      return answer.status, answer.headers["retry-after"]
    end
    assert.equal(200, open "192.0.2.1")
    assert.equal(503, open "192.0.2.1")
    assert.equal(200, open "192.0.2.2")
    assert.equal(1, server:metric 'sluice_streams_refused_total{reason="address_full"}')
    for _ = 1, 2 do assert.equal(200, (ping "192.0.2.1")) end
    assert.same({ 429, "1" }, { ping "192.0.2.1" })
    assert.equal(200, (ping "192.0.2.2"))
    assert.is_true(server:metric "sluice_route_requests_limited_total" >= 1)
    assert.equal(2, server:metric "sluice_rate_keys")
  end)
end)

describe("the process", function()
  -- Valgrind and sanitizers have limits of their own.
  local it_alone = e2e.instrumented and function() end or it

  it_alone("takes as many descriptors as it may have, and lives on with none left", function()
    local server = e2e.server { rules = RULES, errors = "no descriptor left", under = { "prlimit", "--nofile=40:100" } }
    assert.matches('level=warn msg="probably.-" why="[^"]*streams is 10000, .- gets 100 descriptors', server:log())
    local tabs, live = {}, 0
    for i = 1, 120 do tabs[i] = sse.open(server.address, { path = "/events?user=u", wait = false }) end
    wait.wait_until(function()
      live = 0
      for _, tab in ipairs(tabs) do
        if not tab.status and not tab.ended then return false end
        if tab.status == 200 then live = live + 1 end
      end
      return true
    end, 10, "each connection to be taken or closed")
    assert.is_true(live > 60 and live < 100)
    tcp.close_all()
    wait.wait_until(function() return select(2, pcall(server.ready, server)).subscribers == 0 end, 5, "all to be gone")
    assert.equal("pong", http.get(server.address, "/ping").body)
    assert.equal(1, select(2, server:log():gsub("no descriptor left", "")))
  end)

  it("gives back every descriptor", function()
    local server = e2e.server { rules = RULES }
    http.get(server.admin, "/ready")
    local function descriptors()
      local count = 0
      for _ in io.popen(("ls /proc/%d/fd"):format(server.process.pid)):lines() do count = count + 1 end
      return count
    end
    local before = descriptors()
    for i = 1, 100 do
      sse.open(server.address, { path = "/events?user=u" .. i, wait = i % 2 == 0 })
      http.connect(server.address):start { path = "/ping" }
    end
    assert.is_true(descriptors() >= before + 50)
    tcp.close_all()
    wait.wait_until(function() return descriptors() == before end, 5, "as many descriptors as before")
  end)

  it("does not end when nobody reads its log any more", function()
    local server = e2e.server { rules = RULES, under = { "bash", "-c", 'exec "$@" 2> >(head -n 2)', "bash" } }
    for _ = 1, 3 do assert.equal(500, (post(server, "raise"))) end
    assert.equal("pong", http.get(server.address, "/ping").body)
    assert.equal(2, select(2, server:log():gsub("\n", "")))
  end)
end)

describe("a publisher", function()
  it("publishes as often as the config says", function()
    local server = e2e.server { rules = RULES, conf = "publish_rate = 1  publish_burst = 2" }
    local function publish() return http.post(server.address, "/publish?user=app&type=half", { body = "x" }) end
    assert.same({ 200, 200 }, { publish().status, publish().status })
    local third = publish()
    assert.same({ 429, "1" }, { third.status, third.headers["retry-after"] })
    assert.equal(1, server:metric "sluice_publishes_limited_total")
    wait.wait_until(function() return publish().status == 200 end)
  end)
end)
