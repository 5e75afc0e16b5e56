-- Bombs go off in one app's rules, over and over: its other users and its other routes, and other apps, go on. The
-- output says what that costs them.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local rig      = require "sluice.rig"
local sse      = require "spec.support.sse"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local CALM = [[
local app = require("sluice").app "calm"
local all = app:topic "calm"
app:stream("events", { path = "/calm/events", topics = function() return all() end })
app:route("emit", "POST /calm/emit/{type}", { run = function(req, params)
  all():emit(params.type, req.body)
  return 204
end })
]]

local SLICE, CALM_ROUNDS, ROUNDS, BOMBS_EACH = 0.02, 100, 6, 3
local BOUND = 50 * SLICE -- a burst is of five bombs at most; and others use the machine, too

local EVE = { ["x-user"] = "eve" }

-- One of those who must not notice: emits by a route and waits until its tab has it.
local function other(server, name, options)
  local self = { name = name, path = options.emit, sent = 0, client = http.connect(server.address) }
  self.tab = sse.open(server.address, { path = options.events, headers = options.headers })
  self.tab:next "ready"
  return self
end

local function round_trip(self)
  local begun = wait.now()
  self.sent = self.sent + 1
  self.client:start { method = "POST", path = self.path .. "/word", body = tostring(self.sent) }
  self.tab:wait_count("word", self.sent, 10)
  assert.equal(204, self.client:answer().status)
  return wait.now() - begun
end

-- `between()` is called before each round trip.
local function measure(others, rounds, times, between)
  for _ = 1, rounds do
    for _, one in ipairs(others) do
      times[one] = times[one] or {}
      if between then between() end
      table.insert(times[one], round_trip(one))
    end
  end
end

local function percentile(list, part)
  table.sort(list)
  return list[math.max(1, math.ceil(#list * part))]
end

local function tell(one, before, after)
  print(("  %-11s round trip: p50 %5.1f ms, p99 %5.1f ms; among bombs p50 %5.1f ms, p99 %5.1f ms"):format(one.name,
    percentile(before, 0.5) * 1000, percentile(before, 0.99) * 1000,
    percentile(after, 0.5) * 1000, percentile(after, 0.99) * 1000))
end

local function assert_complete(tab, kind, count)
  local data = tab:wait_count(kind, count)
  for i = 1, count do assert.equal(tostring(i), data[i]) end
  assert.equal(count, #data)
  for _, reason in ipairs(tab:data "resync") do assert.matches('"reason":"upstream"', reason) end -- its first opening
end

local function link_of(source, user)
  for i = #source.links, 1, -1 do
    local link = source.links[i]
    if link.request.target:find("user=" .. user, 1, true) and not link.conn.closed then return link end
  end
end

local function arm(server, fuses)
  assert.equal(204, http.request(server.address, { method = "PUT", path = "/fuses", json = fuses }).status)
end

-- Whatever eve can make the rules do, at once; nobody waits for her answers.
local function burst(server, source, open)
  for _, client in ipairs(open) do client:close() end
  local clients = {}
  for i, request in ipairs { { path = "/events?topic=asked:1", headers = EVE },
                             { method = "POST", path = "/run", headers = EVE },
                             { method = "POST", path = "/read", headers = EVE } } do
    clients[i] = http.connect(server.address)
    clients[i]:start(request)
  end
  local link = link_of(source, "eve")
  if link then link:send("tick", "boom") end
  return clients
end

describe("bombs in one app", function()
  it("leave everybody else complete, in order and served", function()
    local source = upstream.open()
    local server = e2e.server {
      rules  = { ["hooks.lua"] = "spec/fixtures/hooks.lua", ["calm.lua"] = CALM },
      conf   = ("handler_slice = %g app_memory = 16777216 handler_deadline = 0.5 quarantine_after = 0"):format(SLICE),
      env    = { UPSTREAM = source.url },
      errors = 'msg="rule failed"',
    }
    local others = {
      other(server, "same app", { events = "/events", emit = "/emit", headers = { ["x-user"] = "ann" } }),
      other(server, "another app", { events = "/calm/events", emit = "/calm/emit" }),
    }
    local ann = others[1].tab
    wait.wait_until(function() return link_of(source, "ann") end)
    local bombs = http.get(server.address, "/bombs").json()
    local before, after, ticks, open = {}, {}, 0, {}
    measure(others, CALM_ROUNDS, before)

    for i, kind in ipairs(rig.phases()) do
      local eve = sse.open(server.address, { headers = EVE })
      wait.wait_until(function() return link_of(source, "eve") end, 5, "eve's link")
      for j = 1, BOMBS_EACH do
        arm(server, { [kind] = bombs[(i * BOMBS_EACH + j) % #bombs + 1] })
        if kind == "an upstream's request" then link_of(source, "eve"):cut() end
        measure(others, ROUNDS, after, function()
          open = burst(server, source, open)
          ticks = ticks + 1
          link_of(source, "ann"):send("tick", tostring(ticks))
        end)
        arm(server, {})
        wait.wait_until(function() return link_of(source, "eve") end, 5, "eve's link, again")
      end
      eve:close()
    end

    arm(server, { ["a route"] = "sleeps for ever" }) -- the bursts may have given up sooner
    assert.equal(500, http.post(server.address, "/run", { headers = EVE }).status)
    arm(server, {})

    for _, one in ipairs(others) do
      tell(one, before[one], after[one])
      assert_complete(one.tab, "word", one.sent)
      if not e2e.instrumented then assert.is_true(percentile(after[one], 0.99) < BOUND) end
    end
    assert_complete(ann, "tick", ticks)
    for how, least in pairs { stopped = 50, errors = 50, late = 1 } do
      assert.is_true(server:metric(('sluice_rule_%s_total{app="hooks"}'):format(how)) >= least, how)
      assert.equal(0, server:metric(('sluice_rule_%s_total{app="calm"}'):format(how)), how)
    end

    for _, client in ipairs(open) do client:close() end
    local eve = sse.open(server.address, { path = "/events?topic=asked:1", headers = EVE })
    eve:next "ready"
    assert.equal(204, http.post(server.address, "/run", { headers = EVE }).status)
    http.post(server.address, "/emit/last", { body = "word" })
    assert.equal("word", eve:next("last").data)
    wait.wait_until(function() return server:ready().subscribers == 3 end, 5, "eve's other streams to be gone")
  end)
end)
