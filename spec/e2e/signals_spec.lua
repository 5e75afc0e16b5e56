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
app:route("large", "GET /large", { run = function() return 200, ("x"):rep(8000000) end })
app:route("flood", "POST /flood/{count}", { run = function(_, params)
  for _ = 1, tonumber(params.count) do all():emit("tick", ("x"):rep(10000)) end
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
      http.post(server.address, "/flood/200")
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
    for _ = 1, 5 do http.post(server.address, "/flood/200") end
    server.process:signal "TERM"
    assert.is_true(time_to_end(server, 5) < 2 * wait.patience)
  end)

  it("is cut short by a second signal, and says what that cost", function()
    local server = e2e.server { rules = RULES }
    local busy = http.connect(server.address)
    busy:start { method = "POST", path = "/sleep/60" }
    wait.pass(0.1)
    server.process:signal "TERM"
    wait.wait_until(function() return server:log():find "msg=draining" end)
    wait.pass(0.1)
    assert.is_true(server.process:alive())
    server.process:signal "TERM"
    assert.is_true(time_to_end(server) < wait.patience)
    assert.equal(1, select(2, server:log():gsub("msg=draining", "")))
    assert.matches('level=warn msg="ended at once by a second signal" streams=0 links=0 watermarks=0 connections=1',
      server:log())
  end)

  it("is deaf to signals while it frees what it had", function()
    for _, name in ipairs { "TERM", "HUP" } do
      local server = e2e.server { rules = RULES, errors = "the node drains; nothing is reloaded" }
      local tabs = {}
      for n = 1, 300 do tabs[n] = sse.open(server.address) end
      tabs[300]:next "ready"
      server.process:signal "TERM"
      wait.wait_until(function()
        if server.process:alive() then server.process:signal(name) end
        return server:log():find "msg=ended"
      end)
      while server.process:alive() do server.process:signal(name) end
      time_to_end(server)
      assert.matches("msg=ended code=0\n$", server:log(), "the last line of the log")
    end
  end)

  it("sends an answer to its last byte", function()
    local server = e2e.server { rules = RULES }
    local slow = http.connect(server.address)
    slow.tcp.receive_buffer = 4096
    slow:start { method = "GET", path = "/large" }
    slow.tcp:pause()
    wait.wait_until(function() return server:metric "sluice_requests_total" >= 1 end)
    server.process:signal "TERM"
    server:wait_log "msg=draining"
    slow.tcp:resume()
    local answer = slow:answer(10)
    assert.same({ 8000000, nil }, { #answer.body, answer.headers.connection }) -- its head was sent before the drain
    time_to_end(server)
  end)

  it("ends a thousand streams in rounds, between which others have their turn", function()
    local server = e2e.server { rules = RULES, conf = "drain_spread = 5" }
    local tabs = {}
    for i = 1, 1000 do tabs[i] = sse.open(server.address, { wait = false }) end
    for _, tab in ipairs(tabs) do tab:next("ready", 20) end
    http.post(server.address, "/flood/20")
    server.process:signal "TERM"
    for _, tab in ipairs(tabs) do
      tab:wait_end(20)
      assert.same({ 20, nil }, { tab:count "tick", tab.cut })
    end
    time_to_end(server, 20)
    local streams, took, turn = server:log():match "msg=drained streams=(%d+) took_ms=(%d+) longest_turn_ms=(%d+)"
    assert.equal("1000", streams)
    assert.is_true(tonumber(took) < 9000 * wait.patience, took)
    assert.is_true(tonumber(turn) < 250 * wait.patience, turn)
  end)

  describe("with watermarks", function()
    -- An app's server that answers posts when it is told to.
    local function start(conf)
      local posts = {}
      local app = tcp.listen(function(conn)
        conn.on_input = function() posts[#posts + 1] = conn end
      end)
      local server = e2e.server { conf = conf, errors = "rule failed",
        env = { APP = "http://" .. app.address }, rules = [[
        local sluice    = require "sluice"
        local http      = require "sluice.http"
        local watermark = require "sluice.watermark"
        local app = sluice.app "marks"
        local who = sluice.identity(function(req)
          return { user = req.query.user, data = { token = "t-" .. req.query.user } }
        end)
        local mine = app:topic("user:{user}", { subscribe = sluice.owner "user" })
        app:stream("events", { path = "/events", identity = who, topics = function(_, sub) return mine(sub.user) end })
        local function post(_, data, _, row)
          http.post(sluice.env "APP" .. "/read", { headers = { authorization = data.token }, json = { row = row } })
            :expect(204)
        end
        local read = watermark.new(app, "read", { backoff = { min = 0.3, max = 0.3 }, post = post })
        app:route("open", "POST /open/{row}", { identity = who, run = function(req, params)
          read:open(req.user, nil, "bob", tonumber(params.row))
          return 204
        end })
      ]] }
      local function next_post(status)
        local conn
        wait.wait_until(function()
          for i, other in ipairs(posts) do
            if other.input:find '"row":%d+' then conn = table.remove(posts, i) return true end
          end
        end, 5, "a post")
        local text = conn:take(#conn.input)
        if status then conn:send(("HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n"):format(status)) end
        return tonumber(text:match '"row":(%d+)'), text:lower():match "authorization: (%S+)", conn
      end
      return server, next_post
    end

    it("waits for a post that is under way, and for the one that is due behind it", function()
      local server, next_post = start()
      sse.open(server.address, { path = "/events?user=ann" }):next "ready"
      http.post(server.address, "/open/1?user=ann")
      local _, _, held = next_post()
      http.post(server.address, "/open/9?user=ann")
      server.process:signal "TERM"
      wait.pass(0.4)
      assert.is_true(server.process:alive())
      held:send "HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n"
      local row, token = next_post(204)
      assert.same({ 9, "t-ann" }, { row, token })
      assert.is_true(time_to_end(server) < 2 * wait.patience)
      assert.matches("msg=drained", server:log())
    end)

    it("tries again what failed, as whom it was for, though the streams have ended", function()
      local server, next_post = start()
      sse.open(server.address, { path = "/events?user=ann" }):next "ready"
      http.post(server.address, "/open/1?user=ann")
      local _, _, held = next_post()
      server.process:signal "TERM"
      wait.pass(0.2)
      held:send "HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
      local row, token = next_post(204)
      assert.same({ 1, "t-ann" }, { row, token })
      time_to_end(server)
      assert.matches("msg=drained", server:log())
    end)

    it("waits no longer than its time", function()
      local server, next_post = start "drain_timeout = 0.6"
      http.post(server.address, "/open/1?user=ann")
      next_post()
      server.process:signal "TERM"
      assert.is_true(time_to_end(server, 5) >= 0.5)
      assert.matches("the drain's time is over.*watermarks=1", server:log())
    end)
  end)

  it("is at once with nothing to end", function()
    local server = e2e.server { rules = RULES }
    server.process:signal "TERM"
    assert.is_true(time_to_end(server) < wait.patience)
  end)
end)
