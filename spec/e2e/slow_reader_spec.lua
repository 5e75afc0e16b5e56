-- One that does not read, among many that do: it costs the others nothing, and is told what it missed.

local cjson = require "cjson.safe"
local e2e   = require "spec.support.e2e"
local http  = require "spec.support.http"
local sse   = require "spec.support.sse"
local wait  = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "slow"
local all = app:topic "all"
local PAD = (" "):rep(1000)
app:stream("events",  { path = "/events",  topics = function() return all() end })
app:stream("patient", { path = "/patient", topics = function() return all() end, stall = 3600 })
app:route("burst", "POST /burst/{from}/{to}", { run = function(_, params)
  for i = params.from, params.to do all():emit("tick", i .. PAD) end
  return 204
end })
]]

local FAST, TOTAL, BURST, MEMORY_KB = 20, 6000, 200, 4096

local function burst(server, from, to)
  assert.equal(204, http.post(server.address, ("/burst/%d/%d"):format(from, to)).status)
end

local function connect(server, options)
  local tab = sse.open(server.address, options)
  tab:next "ready"
  return tab
end

-- The numbers of the ticks that a tab has.
local function ticks(tab)
  local list = {}
  for i, data in ipairs(tab:data "tick") do list[i] = tonumber(data:match "^%d+") end
  return list
end

-- Counts from `from` by ones; returns the last.
local function assert_consecutive(list, from)
  for i, number in ipairs(list) do assert.equal(from + i - 1, number) end
  return list[#list]
end

describe("a slow reader", function()
  it("is told exactly how many triggers it missed; the fast ones miss none, and memory is bounded", function()
    local server = e2e.server { rules = RULES }
    local slow, fast = connect(server, { receive_buffer = 4096 }), {}
    for i = 1, FAST do fast[i] = connect(server) end
    burst(server, 1, BURST)
    local before
    slow:stall()
    for sent = BURST, TOTAL - BURST, BURST do
      burst(server, sent + 1, sent + BURST)
      for _, tab in ipairs(fast) do
        wait.wait_until(function() return #tab.events > sent + BURST end, 10, "a fast reader to have all")
      end
      before = before or server:memory()
    end
    assert.equal(1, server:metric "sluice_lagged_total")
    if not e2e.instrumented then assert.is_true(server:memory() - before < MEMORY_KB) end

    slow:resume()
    local resync = cjson.decode(slow:next("resync", 10).data)
    local got = assert_consecutive(ticks(slow), 1)
    assert.same({ reason = "lagged", missed = TOTAL - got, topics = { "all" } }, resync)
    burst(server, TOTAL + 1, TOTAL + 10)
    slow:wait_count("tick", got + 10)
    for _, tab in ipairs(fast) do
      tab:wait_count("tick", TOTAL + 10)
      assert.equal(TOTAL + 10, assert_consecutive(ticks(tab), 1))
      assert.equal(0, tab:count "resync")
    end
    local all = ticks(slow)
    assert.same({ TOTAL + 1, TOTAL + 10, got + 10 }, { all[got + 1], all[#all], #all })
    assert.equal(1, slow:count "resync")
  end)

  -- /patient's own patience is longer than the kernel's, which is the config's.
  for _, path in ipairs { "/events", "/patient" } do it("is closed when it stays stalled: " .. path, function()
    local server = e2e.server { rules = RULES, conf = "stall_timeout = 1" }
    local slow, fast = connect(server, { path = path, receive_buffer = 4096 }), connect(server)
    slow:stall()
    local sent = 0
    while server:metric "sluice_lagged_total" == 0 do
      assert.is_true(sent < 20000)
      burst(server, sent + 1, sent + BURST)
      sent = sent + BURST
      wait.wait_until(function() return #fast.events > sent end, 10, "the fast reader to have all")
    end
    wait.wait_until(function() return server:ready().subscribers == 1 end, 10, "the stalled one to be closed")
    assert.equal(1, server:metric 'sluice_streams_ended_total{reason="slow"}')
    burst(server, sent + 1, sent + 1)
    fast:wait_count("tick", sent + 1)
    assert.equal(sent + 1, assert_consecutive(ticks(fast), 1))
  end) end
end)
