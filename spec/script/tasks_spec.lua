-- Waiting: what a rule may do around a call that suspends, and what becomes of it when its time is up.

local rules = require "spec.support.rules"

describe("a task", function()
  local world

  after_each(function() world:close() end)

  -- Runs the body as a route; the answer, once everything has happened.
  local function run(body, before)
    world = rules.route(body, before)
    local answer = world:request("POST", "/run", {})
    world:advance(15)
    return answer:result()
  end

  it("waits in the middle of anything that is Lua", function()
    local answer = run([[
      local time = require "sluice.time"
      local seen = {}
      local function note(word) time.sleep(0.1) seen[#seen + 1] = word end
      pcall(function() note "pcall" error "x" end)
      xpcall(function() note "xpcall" error "x" end, function() note "handler" end)
      for word in coroutine.wrap(function() note "wrap" coroutine.yield "a" note "again" end) do note(word) end
      for _, word in ipairs { "p", "q" } do note(word) end
      setmetatable({}, { __call = function(_, word) note(word) end })("call")
      return { text = table.concat(seen, " ") }
    ]])
    assert.equal("pcall xpcall handler wrap a again p q call", answer.body)
  end)

  it("keeps its own coroutines and those of others apart", function()
    world = rules.load [[
      local time = require "sluice.time"
      local shared
      app:route("make", "POST /make", { run = function()
        shared = coroutine.create(function() time.sleep(1) return "slept" end)
        return 200, tostring(select(2, coroutine.resume(shared)))
      end })
      app:route("take", "POST /take", { run = function()
        return 200, tostring(select(2, coroutine.resume(shared)))
      end })
    ]]
    local made = world:request("POST", "/make", {})
    assert.equal("cannot resume a coroutine that waits", world:request("POST", "/take", {}).body)
    world:advance(1)
    assert.equal("slept", made:result().body)
    assert.equal("cannot resume dead coroutine", world:request("POST", "/take", {}).body)
  end)

  it("cannot wait under a function that is C's", function()
    local answer = run [[
      local time = require "sluice.time"
      local good, why = pcall(table.sort, { 3, 2, 1 }, function(a, b) time.sleep(1) return a < b end)
      return 200, why
    ]]
    assert.truthy(answer.body:find "a call that waits cannot be made here")
  end)

  it("cannot yield where no coroutine of its own is around it", function()
    local answer = run [[ return 200, select(2, pcall(coroutine.yield, 1)) ]]
    assert.truthy(answer.body:find "coroutine.yield outside a coroutine of the rule's own")
  end)

  it("is killed at its deadline, and nothing in the rule can swallow that", function()
    local answer = run [[
      local time = require "sluice.time"
      while true do
        pcall(function()
          coroutine.wrap(function() xpcall(time.sleep, function() end, 60) end)()
        end)
      end
    ]]
    assert.equal(500, answer.status)
    assert.truthy(world:log():find("killed: not done after its deadline of 10000 ms", 1, true))
  end)

  it("is stopped when it runs on and on, and nothing in the rule can swallow that", function()
    local answer = run [[
      for _ = 1, 3 do pcall(function() while true do end end) end
      return 200, "swallowed"
    ]]
    assert.equal(500, answer.status)
    assert.truthy(world:log():find("stopped: ran for more than 500 ms without a pause", 1, true))
  end)

  it("is given up when its client goes away", function()
    world = rules.route([[
      local time, store = require "sluice.time", require "sluice.store"
      pcall(time.sleep, 5)
      store.set("came", "back")
    ]], [[ app:route("seen", "GET /seen", { run = function()
      return { json = { came = require "sluice.store".get "came" } }
    end }) ]])
    local tab = world:connect("/run", {})
    assert.equal(405, tab.status)
    local gone = world.core:request { method = "POST", path = "/run", query = "", body = "",
      headers = { { "host", "x" } } }
    world:run()
    world:advance(1)
    world.core:cut(gone)
    world:advance(9)
    assert.equal("{}", world:request("GET", "/seen", {}).body)
  end)

  it("answers who came first though others wait", function()
    world = rules.route [[
      require "sluice.time".sleep(tonumber(req.query.s))
      return 200, req.query.s
    ]]
    local slow = world:request("POST", "/run", { query = { s = 2 } })
    local fast = world:request("POST", "/run", { query = { s = 1 } })
    world:advance(1)
    assert.equal("1", fast:result().body)
    assert.is_nil(slow:result().status)
    world:advance(1)
    assert.equal("2", slow:result().body)
  end)
end)
