-- Presence over real sockets: a client that vanishes without a word is offline in bounded time, because what is
-- written to it must be acknowledged, whatever the kernel's buffer still takes.

local cable = require "spec.support.cable"
local e2e   = require "spec.support.e2e"
local http  = require "spec.support.http"
local proc  = require "spec.support.proc"
local sse   = require "spec.support.sse"
local wait  = require "spec.support.wait"

local HEARTBEAT, STALL, GRACE = 1, 2, 0.5

local RULES = ([[
local sluice = require "sluice"
local app = sluice.app "gone"
local who = sluice.identity(function(req) return { user = req.headers["x-user"] } end)
local log = app:topic("log", { subscribe = false })
local room = app:topic("room", { subscribe = false, presence = { grace = %g, change = function(user, status)
  log():emit("change", user .. " " .. status)
end } })
app:stream("events", { path = "/events", identity = who, heartbeat = %g, topics = function() return room() end })
app:stream("watch", { path = "/watch", topics = function() return log() end })
app:route("who", "GET /who", { run = function()
  return 200, table.concat(app:presence "room":list(), " ")
end })
]]):format(GRACE, HEARTBEAT)

local function serve(lines)
  return e2e.server { rules = RULES, conf = ("stall_timeout = %g\n%s"):format(STALL, lines or "") }
end

-- A server with a client at the far end of a cable, one at home, and one that watches.
local function begin(line)
  local server = serve(('listen = { "127.0.0.1:0", "%s:0" }'):format(line.here))
  local home, far
  for _, address in ipairs(server.addresses) do
    if address:find("127.0.0.1", 1, true) then home = address else far = address end
  end
  local watch = sse.open(home, { path = "/watch" })
  watch:next "ready"
  sse.open(home, { path = "/events", headers = { ["x-user"] = "bob" } })
  assert.equal("bob online", watch:next("change").data)
  local client = proc.spawn(line:command { "curl", "-sN", "-H", "x-user: ann", "http://" .. far .. "/events" })
  client:wait_line "^id: "
  assert.equal("ann online", watch:next("change").data)
  return server, watch, home, client
end

describe("presence", function()
  for _, how in ipairs { "silent", "unreachable" } do
    it("ends for a client that is gone without a word (" .. how .. ")", function()
      local missing = cable.missing()
      if missing then return pending(missing) end
      local line = cable.new()
      local server, watch, home, client = begin(line)
      assert.equal("ann bob", http.get(home, "/who").body)

      line:cut(how)
      local cut = wait.now()
      local function is_over() return server:ready().subscribers == 2 end
      wait.wait_until(is_over, HEARTBEAT + STALL + 3, "ann's stream to end")
      local ended = wait.now() - cut
      assert.is_true(ended >= STALL - 0.1, ended)
      assert.is_true(ended <= (HEARTBEAT + STALL + 1) * wait.patience, ended)
      assert.equal(1, server:metric 'sluice_streams_ended_total{reason="slow"}')
      assert.equal(0, server:metric "sluice_lagged_total")
      assert.equal("ann offline", watch:next("change", GRACE + 2).data)
      assert.is_true(wait.now() - cut - ended >= GRACE - 0.1)
      assert.equal("bob", http.get(home, "/who").body)
      assert.is_true(client:alive()) -- nobody has told it either
    end)
  end

  it("is told of nobody when the server goes, and anew when it is back", function()
    local server = serve()
    local watch = sse.open(server.address, { path = "/watch" })
    watch:next "ready"
    sse.open(server.address, { path = "/events", headers = { ["x-user"] = "ann" } })
    assert.equal("ann online", watch:next("change").data)
    assert.equal(1, server:metric 'sluice_presence_online{app="gone"}')
    server:stop()
    wait.wait_until(function() return watch.ended end, 5, "the watcher to be sent away")
    assert.equal(1, watch:count "change")
  end)
end)
