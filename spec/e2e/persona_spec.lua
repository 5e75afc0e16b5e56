-- Rooms over real sockets: the node's bound on streams, and the metrics by the names that others know.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local json = require "cjson.safe"
local proc = require "spec.support.proc"
local proxies = require "spec.support.proxies"
local sse  = require "spec.support.sse"
local wait = require "spec.support.wait"

local KEY = "the key of who publishes"

describe("persona", function()
  local server

  local function start(conf, env, errors)
    local given = { PERSONA_JWT_KEY = ("a secret of our own "):rep(2), PERSONA_PUBLISH_KEY = KEY }
    for name, value in pairs(env or {}) do given[name] = value end
    server = e2e.server {
      rules = { ["persona.lua"] = "rules/persona.lua", ["signer.lua"] = "spec/fixtures/signer.lua" },
      conf = conf, env = given, errors = errors,
    }
  end

  local function token(user)
    local claims = { sub = user, aud = "persona", exp = os.time() + 3600, name = user }
    return http.post(server.address, "/sign", { json = claims }).body
  end

  local function path(user, channel)
    return ("/api/events?token=%s&channel=%s"):format(token(user), channel or "channel:general")
  end

  local function open(user, channel) return sse.open(server.address, { path = path(user, channel) }) end

  local function bus(topic, message)
    return http.post(server.address, "/api/realtime", {
      headers = { authorization = "Bearer " .. KEY },
      json    = { type = "message", topic = topic, data = message },
    })
  end

  local function say(user, content)
    return http.post(server.address, "/api/chat/messages", {
      headers = { authorization = "Bearer " .. token(user) },
      json    = { channel = "channel:general", content = content },
    }).status
  end

  it("has the metrics that its operators know", function()
    start("topics = 4", nil, "a topic cannot be had")
    local function metrics()
      return { server:metric "sse_connections_total", server:metric "sse_channels_total",
               server:metric "redis_publish_errors" }
    end
    assert.same({ 0, 0, 0 }, metrics())
    local ann, bob = open("ann", "channel:general&channel=user:ann"), open "bob"
    wait.wait_until(function() return ann:count "message" == 2 and bob:count "message" == 1 end)
    assert.same({ 2, 2, 0 }, metrics())
    local sent = server:metric "sse_events_sent"
    assert.equal(204, say("ann", "hello"))
    assert.equal(200, bus("realtime:user:ann", { type = "generation_complete", jobId = "j" }).status)
    ann:wait_count("message", 4)
    bob:wait_count("message", 2)
    wait.wait_until(function() return server:metric "sse_events_sent" == sent + 3 end)
    for _, user in ipairs { "x", "y", "z" } do
      bus("realtime:user:" .. user, { type = "generation_complete", jobId = "j" })
    end
    assert.same({ 2, 2, 1 }, metrics())
    bus("realtime:channel:general", "nonsense")
    assert.equal(1, server:metric "sluice_events_dropped_total")
    bob:close()
    wait.wait_until(function() return server:metric "sse_connections_total" == 1 end)
    local text = http.get(server.admin, "/metrics").body
    assert.truthy(text:find("# TYPE sse_connections_total gauge", 1, true))
    assert.truthy(text:find("# TYPE sse_events_sent counter", 1, true))
  end)

  -- A browser holds six streams an origin over HTTP/1.1; over HTTP/2, which a proxy speaks, as many as it likes.
  it("has many streams over one connection of HTTP/2, behind nginx", function()
    start()
    local streams = 40
    local proxy  = proxies.start("nginx", server.address, { http2 = true })
    local client = proc.spawn({ "node", e2e.root .. "/spec/support/http2.mjs", "http://" .. proxy.address,
      tostring(streams), path "ann" }, { env = { LD_PRELOAD = false } })
    wait.wait_until(function() return server:metric "sse_connections_total" == streams end, 10)
    assert.equal(204, say("bob", "hello"))
    local heard = {}
    wait.wait_until(function()
      heard = {}
      for line in client:output():gmatch "[^\n]+" do
        local item = assert(json.decode(line), line)
        assert.is_nil(item.error)
        assert.equal(200, item.status or 200)
        local message = item.data and json.decode(item.data)
        if message and message.content == "hello" then heard[#heard + 1] = item.number end
      end
      return #heard >= streams
    end, 10, "everybody to hear it")
    table.sort(heard)
    for number = 1, streams do assert.equal(number, heard[number]) end
    client:kill()
    wait.wait_until(function() return server:metric "sse_connections_total" == 0 end, 10)
  end)

  it("refuses by 503, or so that browsers come back", function()
    start "streams = 1"
    open "ann"
    local late = http.get(server.address, path "late")
    assert.same({ 503, "full" }, { late.status, late.json().error.code })
    assert.truthy(late.headers["retry-after"])
    server:stop()
    start("streams = 1", { PERSONA_REFUSAL = "retry" })
    open "ann"
    late = http.get(server.address, path "late")
    assert.equal(200, late.status)
    assert.matches("^retry: %d+\n", late.body)
    assert.not_matches("\ndata:", late.body)
  end)

  -- Its generator is stopped while it holds them: what is sent to it waits in the kernel.
  it("takes 10,000 streams and not one more; those live on", function()
    if e2e.instrumented then return end
    start()
    local load = proc.spawn({ "build/bench/load", "idle", "--target", server.address, "--streams", "10000",
      "--server", tostring(server.process.pid), "--stream", path "crowd", "--at-once", "64" }, { cwd = e2e.root })
    wait.wait_until(function()
      return server:metric "sse_connections_total" == 10000 or not load:alive()
    end, 30, "10,000 streams")
    load:signal "STOP"
    assert.equal(10000, server:metric "sse_connections_total")
    local late = http.get(server.address, path "late")
    assert.same({ 503, "full" }, { late.status, late.json().error.code })
    local sent = server:metric "sse_events_sent"
    assert.equal(204, say("late", "let me in"))
    wait.wait_until(function() return server:metric "sse_events_sent" == sent + 10000 end, 10, "all to have it")
    assert.equal(1, server:metric 'sluice_streams_refused_total{reason="full"}')
    load:kill()
    wait.wait_until(function() return server:metric "sse_connections_total" == 0 end, 10)
    assert.equal(200, open("late").status)
  end)
end)
