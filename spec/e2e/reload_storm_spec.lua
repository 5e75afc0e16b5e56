-- A storm of reloads under load: rooms of ten streams, 20 links, 500 events a second and a broadcast a second,
-- and a reload every 200 ms, a third of them of broken files. The streams are bench/load's: each checks that its
-- events are complete, in order and single, and that it is not closed.
--
-- RELOAD_STORM_SECONDS=n sets how long (4); `make reload-storm` is a minute of it. The same load without reloads
-- goes before; both latencies are printed.

local json = require "cjson.safe"
local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local proc = require "spec.support.proc"
local wait = require "spec.support.wait"

local SECONDS = tonumber(os.getenv "RELOAD_STORM_SECONDS") or 4
local STREAMS = e2e.instrumented and 1000 or 5000
local RATE    = e2e.instrumented and 100 or 500

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "rooms"
local room = app:topic("room:{room}", { history = { size = %d, ttl = 60 }, filter = %s })
local all  = app:topic("all", { history = { size = 4, ttl = 60 } })
local me   = sluice.identity(function(req)
  return { user = "u" .. req.query.n, data = { room = math.floor(req.query.n / 10) } }
end)
local feed = app:upstream("feed", {
  key     = function(sub) return tostring(sub.data.room %% 20) end,
  grace   = 1,
  request = function(key) return { url = sluice.env "FEED" .. "/?user=" .. key } end,
})
local function told(ev) return (ev.data:gsub("^%%d+ ", "", 1)) end
feed:on("say", function(ev) room(ev.data:match "^%%d+"):emit("%s", told(ev)) end)
feed:on("all", function(ev) all():emit("said", told(ev)) end)
app:stream("events", { path = "/events", identity = me, upstreams = { feed }, heartbeat = %d,
  topics = function(_, sub) return { room(tostring(sub.data.room)), all() } end })
%s
]]

local FINE = {
  { 4, "nil", "said", 20, "" },
  { 8, "function(ev, sub, params) return params.room == tostring(sub.data.room) end", "told", 10, "" },
  { 2, "nil", "said", 0, [[app:every("tick", { period = 0.05, run = function() end })
                            app:route("more", "GET /more", { run = function() return 204 end })]] },
  { 4, "function() return true end", "said", 30, [[app:topic("spare:{x}", {})]] },
}
local BROKEN = {
  { 4, "nil", "said", 20, "this is no Lua" },
  { 4, "nil", "said", 20, "app:strem('events', {})" },
  { 4, "nil", "said", 20, "app:stream('more', { path = '/events' })" },
  { 4, "nil", "said", 20, "error 'not today'" },
  { 4, "nil", "said", -1, "" },
}

local function text(version) return RULES:format(unpack(version)) end

describe("a storm of reloads", function()
  local server, feed_port

  -- bench/load plays the scene; its report, and what was done `meanwhile` until its end.
  local function play(seconds, meanwhile)
    local process = proc.spawn({ "build/bench/load", "sequences", "--target", server.address, "--feed", feed_port,
      "--streams", tostring(STREAMS), "--stream", "/events?n=%d", "--rate", tostring(RATE),
      "--seconds", tostring(seconds), "--server", tostring(server.process.pid) },
      { cwd = e2e.root, env = e2e.environment() })
    process:wait_line("^begun", 60)
    while process:alive() do meanwhile() end
    local report = json.decode(process:output():match "{.*}")
    assert(report, process:output())
    return report
  end

  local reloads, refused = 0, 0

  -- One reload, of a broken file every third time; the server must say which it was.
  local function reload()
    reloads = reloads + 1
    local broken = reloads % 3 == 0
    local list = broken and BROKEN or FINE
    e2e.write(server.folder .. "/rules/app.lua", text(list[reloads % #list + 1]))
    local answer = http.post(server.admin, "/reload", { headers = { ["x-sluice-admin"] = "1" } })
    assert.equal(broken and 409 or 200, answer.status, answer.body)
    refused = refused + (broken and 1 or 0)
  end

  it("closes no stream, loses nothing, doubles nothing, and leaves nothing behind", function()
    local ports = io.popen(e2e.root .. "/build/bench/load ports 1")
    feed_port = ports:read "*l"
    ports:close()
    server = e2e.server { rules = text(FINE[1]), conf = "streams = 12000\nconnections = 15000\n",
      env = { FEED = "http://127.0.0.1:" .. feed_port }, errors = "not reloaded" }

    local quiet = play(SECONDS, function() wait.pass(0.2) end)
    wait.wait_until(function() return server:ready().streams ~= 0 and server:ready().subscribers == 0 end, 30)
    wait.wait_until(function() return server:ready().links == 0 end, 30)
    local before = server:memory()

    local stormy = play(SECONDS, function()
      reload()
      wait.pass(0.2)
    end)
    wait.wait_until(function() return server:ready().subscribers == 0 and server:ready().links == 0 end, 30)
    e2e.write(server.folder .. "/rules/app.lua", text(FINE[1]))
    http.post(server.admin, "/reload", { headers = { ["x-sluice-admin"] = "1" } })
    wait.wait_until(function() return server:metric "sluice_rule_vms" == 1 end, 10)
    local after = server:memory()

    assert.same({ STREAMS, 0, 20 }, { stormy.streams, stormy.resyncs, stormy.links_accepted })
    assert.is_true(reloads >= SECONDS and refused >= math.floor(reloads / 3), reloads .. " reloads")
    assert.equal(0, server:metric 'sluice_streams_ended_total{reason="reload"}')
    print(("\n%d streams, %d deliveries, %d reloads, %d of them refused; p50 %.1f ms, p99 %.1f ms; without reloads "
      .. "p50 %.1f ms, p99 %.1f ms; memory %d kB, then %d kB"):format(STREAMS, stormy.deliveries, reloads, refused,
      stormy.p50_us / 1000, stormy.p99_us / 1000, quiet.p50_us / 1000, quiet.p99_us / 1000, before, after))
    if not e2e.instrumented then
      assert.is_true(after < before * 1.1 + 512, ("%d kB before, %d kB after"):format(before, after))
    end
  end)
end)
