-- The admin listener: alive, ready, metrics; and who may look.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local prometheus = require "spec.support.prometheus"
local sse      = require "spec.support.sse"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "watched"
local who = sluice.identity(function(req) return { user = req.query.user } end)
local all = app:topic("all", {})
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  request = function() return sluice.env "UPSTREAM" end,
})
feed:on("note", function() all():emit("note") end)
app:stream("events", { path = "/events", identity = who, upstreams = { feed }, topics = function() return all() end })
]]

describe("the admin listener", function()
  it("says whether it is alive and ready, and counts subscribers and links", function()
    local source = upstream.open()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = source.url } }
    assert.equal("alive", http.get(server.admin, "/health").json().status)
    local ready = server:ready()
    assert.same({ true, "serving", 0, 0 }, { ready.ready, ready.mode, ready.subscribers, ready.links })
    for _, user in ipairs { "ann", "ann", "bob" } do
      sse.open(server.address, { path = "/events?user=" .. user }):next "ready"
    end
    ready = server:ready()
    assert.same({ 3, 2, 2, { "watched" } }, { ready.subscribers, ready.users, ready.links, ready.apps })
    assert.equal(404, http.get(server.admin, "/events?user=ann").status)
    assert.equal(405, http.post(server.admin, "/health").status)
    assert.equal(404, http.get(server.address, "/health").status)
  end)

  it("gives metrics as Prometheus reads them", function()
    local source = upstream.open()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = source.url } }
    local tab = sse.open(server.address, { path = "/events?user=ann" })
    tab:next "ready"
    source:next():send("note", "1")
    tab:next "note"
    local answer = http.get(server.admin, "/metrics")
    assert.equal("text/plain; version=0.0.4; charset=utf-8", answer.headers["content-type"])
    local series = prometheus.parse(answer.body)
    for name, value in pairs {
      sluice_streams = 1, sluice_subscribers = 1, sluice_users = 1, sluice_links = 1, sluice_topics = 1,
      sluice_upstream_events_total = 1, sluice_links_opened_total = 1, sluice_triggers_total = 1,
      ['sluice_streams_ended_total{reason="client"}'] = 0, ['sluice_streams_refused_total{reason="full"}'] = 0,
    } do
      assert.equal(value, series[name], name)
    end
    tab:close()
    wait.wait_until(function() return server:metric 'sluice_streams_ended_total{reason="client"}' == 1 end)
    assert.equal(0, server:metric "sluice_streams")
  end)

  it("names the rules that are in quarantine, until they are mended and loaded again", function()
    local path, text = e2e.folder() .. "/bad.lua", [[
      local app = require("sluice").app "bad"
      app:route("loop", "GET /loop", { run = function() while true do end end })
      app:route("fine", "GET /fine", { run = function() return 204 end })
    ]]
    local server = e2e.server {
      conf   = ("rules = %q\nquarantine_after = 2\nhandler_slice = 0.02"):format(e2e.write(path, text)),
      errors = 'msg="rule ',
    }
    for _ = 1, 4 do assert.equal(500, http.get(server.address, "/loop").status) end
    assert.equal(204, http.get(server.address, "/fine").status)
    assert.same({ { app = "bad", hook = "route loop", place = path .. ":2" } }, server:ready().quarantined)
    assert.equal(1, server:metric 'sluice_rule_quarantined{app="bad"}')
    assert.equal(2, server:metric 'sluice_rule_quarantined_calls_total{app="bad"}')
    assert.equal(2, server:metric 'sluice_rule_stopped_total{app="bad"}')
    server:wait_log "rule quarantined"
    e2e.write(path, (text:gsub("while true do end", "return 204")))
    server.process:signal "HUP"
    server:wait_log "reloaded"
    assert.equal(204, http.get(server.address, "/loop").status)
    assert.same({}, server:ready().quarantined)
    assert.equal(0, server:metric 'sluice_rule_quarantined{app="bad"}')
  end)

  it("answers to addresses and localhost only, as a page with a name of its own must not read it", function()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = "http://127.0.0.1:1" } }
    local function status(host) return http.get(server.admin, "/ready", { Host = host }).status end
    for _, host in ipairs { "localhost", "LOCALHOST:1234", "127.0.0.1", server.admin, "[::1]:8081" } do
      assert.equal(200, status(host), host)
    end
    for _, host in ipairs { "evil.example", "127.0.0.1.evil.example:80", "localhost.evil", "1e3", "" } do
      assert.equal(403, status(host), host)
    end
  end)

  it("asks for the key where there is one; only /health is open", function()
    local server = e2e.server { rules = RULES, conf = 'admin_key = env "KEY"',
                                env = { KEY = "open sesame", UPSTREAM = "http://127.0.0.1:1" } }
    local function status(path, key)
      return http.get(server.admin, path, { Authorization = key and "Bearer " .. key }).status
    end
    assert.equal(200, status "/health")
    assert.same({ 401, 401, 401 }, { status "/ready", status("/metrics", "open sesam"), status("/ready", "") })
    assert.same({ 200, 200 }, { status("/ready", "open sesame"), status("/metrics", "open sesame") })
    assert.is_nil(server:log():find "sesame")
  end)

  it("is not opened to the world without a key; on a Unix socket it needs none", function()
    local folder = e2e.folder()
    local rules  = e2e.write(folder .. "/app.lua", 'local app = require("sluice").app "a"\n')
    for _, address in ipairs { "0.0.0.0:0", "*:0", "[::]:0", "192.0.2.1:0" } do
      local conf = ('listen = "127.0.0.1:0"\nadmin = %q\nrules = %q\n'):format(address, rules)
      local code, output = e2e.run { "run", "-c", e2e.write(folder .. "/sse.lua.conf", conf) }
      assert.equal(2, code)
      assert.matches('admin = "' .. address:gsub("%p", "%%%0") .. '" is not loopback; set admin_key', output)
    end
    local path = "unix:" .. folder .. "/admin.sock"
    local server = e2e.server { rules = RULES, conf = ("admin = %q"):format(path),
                                env = { UPSTREAM = "http://127.0.0.1:1" } }
    assert.equal(path, server.admin)
    assert.is_true(server:ready().ready)
    local world = e2e.server { rules = RULES, conf = 'admin = "0.0.0.0:0" admin_key = "k"',
                               env = { UPSTREAM = "http://127.0.0.1:1" } }
    local port = world.admin:match ":(%d+)$"
    assert.equal(401, http.get("127.0.0.1:" .. port, "/metrics").status)
  end)
end)
