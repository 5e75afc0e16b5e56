-- TERM and INT: what is under way ends well, within the deadline, whatever clings to it.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local sse  = require "spec.support.sse"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local http   = require "sluice.http"
local time   = require "sluice.time"
local app = sluice.app "signals"
local all = app:topic "all"
app:stream("events", { path = "/events", topics = function() return all() end })
app:route("sleep", "POST /sleep/{seconds}", { run = function(_, params)
  time.sleep(tonumber(params.seconds))
  return 200, "slept"
end })
app:route("ask", "POST /ask", { run = function(req) return http.get(req.body).status end })
app:route("flood", "POST /flood", { run = function()
  for _ = 1, 200 do all():emit("tick", ("x"):rep(10000)) end
  return 204
end })
]]

-- Seconds until the process has ended by itself; its exit code must be 0.
local function time_to_end(server, timeout)
  local from = wait.now()
  assert.equal(0, (server.process:wait(timeout)))
  return wait.now() - from
end

for _, name in ipairs { "TERM", "INT" } do
  describe(name, function()
    it("ends streams cleanly and tells browsers, spread out, when to come back", function()
      local server = e2e.server { rules = RULES, conf = "drain_spread = 5" }
      local tabs, retries = {}, {}
      for i = 1, 40 do tabs[i] = sse.open(server.address) end
      for _, tab in ipairs(tabs) do tab:next "ready" end
      http.post(server.address, "/flood")
      server.process:signal(name)
      for _, tab in ipairs(tabs) do
        tab:wait_end(10)
        assert.is_nil(tab.cut)
        assert.is_falsy(tab.tcp.reset)
        assert.equal(200, tab:count "tick")
        retries[#retries + 1] = tab.retry
      end
      assert.is_true(time_to_end(server) < 2 * wait.patience)
      table.sort(retries)
      assert.is_true(retries[1] >= 0 and retries[40] <= 7000)
      assert.is_true(retries[40] - retries[1] > 2000, "not spread: " .. table.concat(retries, " "))
      assert.matches("msg=draining signal=" .. name, server:log())
    end)
  end)
end

describe("a drain", function()
  it("lets what is under way finish, answers 503 on /ready meanwhile, and takes nothing new", function()
    local server = e2e.server { rules = RULES }
    local busy, idle = http.connect(server.address), http.connect(server.address)
    idle:request { method = "POST", path = "/sleep/0" }
    busy:start { method = "POST", path = "/sleep/1" }
    wait.pass(0.1)
    server.process:signal "TERM"
    wait.wait_until(function() return http.get(server.admin, "/ready").status == 503 end)
    local ready = server:ready()
    assert.same({ false, "draining" }, { ready.ready, ready.mode })
    assert.equal(200, http.get(server.admin, "/health").status)
    idle:wait_end()
    assert.is_false((pcall(tcp.connect, server.address)))
    local answer = busy:answer()
    assert.same({ "slept", "close" }, { answer.body, answer.headers.connection })
    time_to_end(server)
  end)

  it("ends at its deadline with a handler that does not end", function()
    local server = e2e.server { rules = RULES, conf = "drain_timeout = 0.5" }
    local stuck  = http.connect(server.address)
    stuck:start { method = "POST", path = "/sleep/60" }
    local silent = tcp.listen(function() end)
    local asking = http.connect(server.address)
    asking:start { method = "POST", path = "/ask", body = "http://" .. silent.address .. "/" }
    wait.pass(0.1)
    server.process:signal "TERM"
    local took = time_to_end(server, 5)
    assert.is_true(took >= 0.4 and took < 2 * wait.patience)
    assert.matches("level=warn msg=\"the drain's time is over\"", server:log())
  end)

  it("does not wait for a client that reads nothing", function()
    local server = e2e.server { rules = RULES, conf = "drain_timeout = 1" }
    local slow = sse.open(server.address, { receive_buffer = 4096 })
    slow:next "ready"
    slow:stall()
    for _ = 1, 5 do http.post(server.address, "/flood") end
    server.process:signal "TERM"
    assert.is_true(time_to_end(server, 5) < 2 * wait.patience)
  end)

  it("is not hurried nor begun anew by further signals", function()
    local server = e2e.server { rules = RULES }
    local busy = http.connect(server.address)
    busy:start { method = "POST", path = "/sleep/0.6" }
    wait.pass(0.1)
    server.process:signal "TERM"
    wait.wait_until(function() return server:log():find "msg=draining" end)
    for _, name in ipairs { "TERM", "INT", "TERM" } do
      server.process:signal(name)
      wait.pass(0.05)
    end
    assert.equal("slept", busy:answer().body)
    time_to_end(server)
    assert.equal(1, select(2, server:log():gsub("msg=draining", "")))
  end)

  it("is at once with nothing to end", function()
    local server = e2e.server { rules = RULES }
    server.process:signal "TERM"
    assert.is_true(time_to_end(server) < wait.patience)
  end)
end)
