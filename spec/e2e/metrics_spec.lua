-- What /metrics says of a node at work, read as Prometheus reads it.

local e2e        = require "spec.support.e2e"
local http       = require "spec.support.http"
local prometheus = require "spec.support.prometheus"
local sse        = require "spec.support.sse"
local upstream   = require "spec.support.upstream"
local wait       = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local time   = require "sluice.time"
local app = sluice.app "measured"
local who = sluice.identity(function(req) return { user = req.query.user } end)
local all = app:topic("all", { history = { size = 10, ttl = 60 } })
app:topic("idle", { history = { size = 10, ttl = 60 } })
local feed = app:upstream("feed", {
  key     = function(sub) return sub.user end,
  request = function() return sluice.env "UPSTREAM" end,
})
feed:on("note", function(ev) all():emit("note", ev.data) end)
app:stream("events", { path = "/events", identity = who, topics = function() return all() end })
app:stream("linked", { path = "/linked", identity = who, upstreams = { feed }, topics = function() return all() end })
app:route("say", "POST /say", { run = function(req) all():emit("said", req.body) return 204 end })
app:route("wait", "POST /wait", { run = function() time.sleep(0.15) return 204 end })
app:route("spin", "POST /spin", { run = function()
  local x = 0
  for i = 1, 3e6 do x = x + i end
  return 204
end })
]]

local function scrape(server) return prometheus.parse(http.get(server.admin, "/metrics").body) end

describe("metrics", function()
  it("say how long it takes from a trigger's place to the kernel, and leave replays out", function()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = "http://127.0.0.1:1" } }
    local tabs = {}
    for i = 1, 5 do tabs[i] = sse.open(server.address, { path = "/events?user=u" .. i }) end
    for _, tab in ipairs(tabs) do tab:next "ready" end
    http.post(server.address, "/say", { body = "1" })
    for _, tab in ipairs(tabs) do tab:next "said" end
    local series = scrape(server)
    assert.equal(5, series.sluice_delivery_seconds_count)
    assert.is_true(series.sluice_delivery_seconds_sum < 1 * wait.patience)
    local cursor = tabs[1].last_id()
    http.post(server.address, "/say", { body = "2" })
    for _, tab in ipairs(tabs) do tab:next "said" end
    tabs[1]:close()
    wait.pass(0.3)
    local back = sse.open(server.address, { path = "/events?user=u1", last_event_id = cursor })
    back:next "said"
    series = scrape(server)
    assert.equal(10, series.sluice_delivery_seconds_count, "a replay counted")
    http.post(server.address, "/say", { body = "3" })
    back:next "said"
    assert.equal(15, scrape(server).sluice_delivery_seconds_count)
  end)

  it("say how much waits for those who do not read", function()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = "http://127.0.0.1:1" } }
    local slow = sse.open(server.address, { path = "/events?user=slow", receive_buffer = 4096 })
    slow:next "ready"
    slow:stall()
    local body = ("x"):rep(100000)
    for _ = 1, 60 do http.post(server.address, "/say", { body = body }) end
    local series = scrape(server)
    assert.is_true(series.sluice_queued_triggers >= 1)
    assert.is_true(series.sluice_queued_bytes >= 100000)
    assert.is_true(series.sluice_queued_bytes_max >= series.sluice_queued_bytes)
    slow:close()
    wait.wait_until(function() return server:metric "sluice_queued_bytes" == 0 end)
    series = scrape(server)
    assert.equal(0, series.sluice_queued_triggers)
    assert.is_true(series.sluice_queued_triggers_max >= 1 and series.sluice_queued_bytes_max >= 100000)
  end)

  it("say of each hook how long it took, and how long it ran and did not wait", function()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = "http://127.0.0.1:1" } }
    for _ = 1, 3 do http.post(server.address, "/wait") end
    http.post(server.address, "/spin")
    local series = scrape(server)
    local function of(name, hook) return series[("%s{app=\"measured\",hook=\"route %s\"}"):format(name, hook)] end
    assert.equal(3, of("sluice_rule_seconds_count", "wait"))
    assert.is_true(of("sluice_rule_seconds_sum", "wait") >= 0.44)
    assert.is_true(of("sluice_rule_seconds_max", "wait") >= 0.145)
    assert.is_true(of("sluice_rule_busy_seconds_total", "wait") < 0.1 * wait.patience)
    assert.equal(1, of("sluice_rule_seconds_count", "spin"))
    assert.is_true(of("sluice_rule_busy_seconds_total", "spin") > 0.001)
    assert.is_true(series.sluice_loop_turn_seconds_count > 4)
    assert.is_true(series.sluice_loop_turn_seconds_sum >= of("sluice_rule_busy_seconds_total", "spin"))
    assert.is_true(series.sluice_loop_late_seconds_count >= 3)
  end)

  it("name listeners, links by state, reloads, the process, and streams as others call them", function()
    local source = upstream.open()
    local server = e2e.server { rules = RULES, env = { UPSTREAM = source.url },
                                conf = 'listen = { "127.0.0.1:0", "127.0.0.1:0" }' }
    local tab = sse.open(server.addresses[2], { path = "/linked?user=ann" })
    tab:next "ready"
    source:next():send("note", "1")
    tab:next "note"
    http.post(server.admin, "/reload", { headers = { ["X-Sluice-Admin"] = "1" } })
    local series = scrape(server)
    local function listener(name, address) return series[("%s{listener=%q}"):format(name, address)] end
    assert.equal(1, listener("sluice_listener_connections", server.addresses[2]))
    assert.equal(0, listener("sluice_listener_connections", server.addresses[1]))
    assert.equal(1, listener("sluice_listener_connections_total", server.addresses[2]))
    assert.equal(1, series['sluice_links_in_state{state="open"}'])
    assert.equal(1, series['sluice_reloads_total{outcome="good"}'])
    assert.equal(0, series['sluice_reloads_total{outcome="refused"}'])
    assert.same({ 1, 1, 1, 0 }, { series.sse_connections_total, series.sse_channels_total, series.sse_events_sent >= 1
      and 1, series.redis_publish_errors })
    assert.is_true(series.process_resident_memory_bytes > 1e6)
    assert.equal(series.process_resident_memory_bytes > 1e6, series.sluice_subscriber_bytes > 1e6)
    assert.is_true(series.process_open_fds > 5 and series.process_max_fds > series.process_open_fds)
    assert.is_true(series.process_cpu_seconds_total > 0)
    assert.is_true(math.abs(series.process_start_time_seconds - os.time()) < 60 * wait.patience)
    assert.is_true(series.sluice_memory_blocks > 10)
    tab:close()
    wait.wait_until(function() return server:metric "sse_channels_total" == 0 end)
    assert.equal(0, server:metric "sse_connections_total")
  end)

  it("count what came in by its source, also what failed, and what was published twice once", function()
    local source = upstream.open()
    local server = e2e.server { env = { UPSTREAM = source.url }, errors = "in=\"in:on", rules = RULES .. [[
      local published = app:ingest("in", { path = "/publish", authorize = false })
      published:on("fine", function(ev) all():emit("note", ev.data) end)
      published:on("bad", function() error "no" end)
    ]] }
    local tab = sse.open(server.address, { path = "/linked?user=ann" })
    tab:next "ready"
    local link = source:next()
    link:send("note", "1")
    link:send("nobody handles this", "2")
    link:send("note", "3")
    tab:next "note"
    tab:next "note"
    local function publish(body) return http.post(server.address, "/publish", { json = body }).status end
    assert.equal(200, publish { { type = "fine" }, { type = "fine" } })
    assert.equal(200, publish { type = "fine", id = "7" })
    assert.equal(200, publish { type = "fine", id = "7" })
    assert.equal(500, publish { type = "bad" })
    assert.equal(422, publish { type = "unknown" })
    local series = scrape(server)
    assert.equal(3, series['sluice_events_total{source="upstream"}'])
    assert.equal(4, series['sluice_events_total{source="ingest"}'])
    assert.equal(3, series.sluice_published_events_total)
  end)

  it("count the triggers that had no room", function()
    local server = e2e.server { errors = "a topic cannot be had", conf = "topics = 2", rules = [[
      local app = require("sluice").app "full"
      local one = app:topic("one:{n}", { history = { size = 2, ttl = 60 } })
      app:route("say", "POST /say/{n}", { run = function(_, params) one(params.n):emit "x" return 204 end })
    ]] }
    for i = 1, 5 do http.post(server.address, "/say/" .. i) end
    local series = scrape(server)
    assert.same({ 3, 3, 2 }, { series.redis_publish_errors, series.sluice_triggers_lost_total, series.sluice_topics })
  end)
end)
