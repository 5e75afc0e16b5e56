-- Behind nginx, Caddy and HAProxy, with the files that are shipped.

local e2e     = require "spec.support.e2e"
local http    = require "spec.support.http"
local proxies = require "spec.support.proxies"
local sse     = require "spec.support.sse"
local wait    = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "behind"
local all = app:topic("all", { subscribe = false, history = { size = 300, ttl = 60 } })
app:stream("events", { path = "/events", heartbeat = 0.3, topics = function() return all() end })
app:route("say", "POST /say/{what}", { run = function(_, params) all():emit("said", params.what) return 204 end })
app:route("who", "GET /who", { run = function(req) return 200, req.headers["x-forwarded-for"] or "nobody" end })
]]

for _, kind in ipairs { "nginx", "caddy", "haproxy" } do
  describe("behind " .. kind, function()
    local server, proxy
    before_each(function()
      server = e2e.server { rules = RULES }
      proxy  = proxies.start(kind, server.address)
    end)

    local function open(options)
      local tab = sse.open(proxy.address, options)
      tab:next("ready", 2)
      return tab
    end
    local function say(what) assert.equal(204, http.post(server.address, "/say/" .. what).status) end

    it("a stream begins at once, events come one by one, and heartbeats too", function()
      local from = wait.now()
      local tab = open()
      assert.is_true(wait.now() - from < 1 * wait.patience)
      assert.is_nil(tab.headers["content-encoding"])
      for i = 1, 5 do
        say(i)
        assert.equal(tostring(i), tab:next("said", 1).data)
      end
      local last = tab.last_id()
      http.post(server.address, "/say/6")
      tab:next "said"
      wait.wait_until(function() return server:metric "sluice_heartbeats_total" >= 2 end)
      assert.not_equal(last, tab.last_id())
      assert.is_falsy(tab.ended)
      assert.matches("127%.0%.0%.1", http.get(proxy.address, "/who").body)
    end)

    it("a stream goes on where it was when the proxy has been restarted", function()
      local tab = open()
      say "1"
      local id = tab:next("said").id
      proxy:kill()
      wait.wait_until(function() return tab.ended or tab.tcp.eof end)
      wait.wait_until(function() return server:metric "sluice_subscribers" == 0 end, 5)
      say "2"
      proxy:start()
      local back = open { last_event_id = id }
      assert.equal("2", back:next("said").data)
      assert.same({ "ready", "said" }, back:types())
    end)

    it("a drain ends streams cleanly, with a time to come back", function()
      local tab = open()
      server.process:signal "TERM"
      tab:wait_end(5)
      assert.is_nil(tab.cut)
      assert.is_true(tab.retry >= 1000)
    end)
  end)
end
