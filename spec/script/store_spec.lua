-- sluice.store: the app's shared dictionary.

local json  = require "cjson"
local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

describe("the store", function()
  local world

  before_each(function()
    world = rules.route([[
      return { json = json.list { calls[req.query.call](req.query.key, unpack(req:json())) } }
    ]], [[
      local store, json = require "sluice.store", require "sluice.json"
      local calls = {
        get = store.get, set = store.set, add = store.add, delete = store.delete,
        increment = store.increment, keys = store.keys,
      }
      function calls.change(key)
        local value = store.get(key)
        value.changed = true
        return store.get(key).changed
      end
      function calls.exact(key)
        store.set(key, 9007199254740991)
        return ("%.0f"):format(store.get(key))
      end
      function calls.own() return store.get "\0mine" end
      function calls.fill(key)
        for i = 1, 10000 do
          local good, code, why = store.set(key .. i, i)
          if not good then return good, code, why end
        end
        return true
      end
    ]])
  end)
  after_each(function() seen.close(world) end)

  local function request(name, key, ...)
    return world:request("POST", "/run", { query = { call = name, key = key }, body = json.encode({ ... }) })
  end

  -- Calls a function of the store in a route; what it returns, as a list.
  local function call(...)
    local answer = request(...)
    assert.equal(200, answer.status, world:log())
    return answer.json
  end

  local function fails(...)
    assert.equal(500, request(...).status)
    return (world:log())
  end

  it("gives back what was set, of every plain kind", function()
    assert.same({}, call("get", "k"))
    for _, value in ipairs { "text", "", 1.5, -7, true, false, { a = { 1, 2, { b = "c" } } } } do
      assert.same({ true }, call("set", "k", value))
      assert.same({ value }, call("get", "k"))
    end
  end)

  it("keeps big whole numbers exactly", function()
    assert.same({ "9007199254740991" }, call("exact", "k"))
  end)

  it("gives copies: what a rule changes, it changes for itself", function()
    call("set", "k", { a = 1 })
    assert.same({}, call("change", "k"))
  end)

  it("forgets what is deleted", function()
    call("set", "k", 1)
    assert.same({ true }, call("delete", "k"))
    assert.same({ false }, call("delete", "k"))
    assert.same({}, call("get", "k"))
  end)

  it("adds only where nothing is", function()
    assert.same({ true }, call("add", "k", 1))
    assert.same({ false }, call("add", "k", 2))
    assert.same({ 1 }, call("get", "k"))
  end)

  it("counts", function()
    assert.same({ 1 }, call("increment", "k"))
    assert.same({ 6 }, call("increment", "k", 5))
    assert.same({ 4 }, call("increment", "k", -2))
    assert.same({ 4 }, call("get", "k"))
  end)

  it("lets go of what has a time-out, and of nothing else", function()
    call("set", "short", 1, { ttl = 1.5 })
    call("set", "long", 2, { ttl = 100 })
    call("set", "ever", 3)
    world:advance(1.4)
    assert.same({ 1 }, call("get", "short"))
    world:advance(0.2)
    assert.same({}, call("get", "short"))
    assert.same({ true }, call("add", "short", 4))
    world:advance(100)
    assert.same({}, call("get", "long"))
    assert.same({ 3 }, call("get", "ever"))
    assert.same({ 4 }, call("get", "short"))
  end)

  it("takes the newest time-out of a key", function()
    call("set", "k", 1, { ttl = 1 })
    call("set", "k", 2, { ttl = 10 })
    world:advance(5)
    assert.same({ 2 }, call("get", "k"))
    call("set", "k", 3)
    world:advance(50)
    assert.same({ 3 }, call("get", "k"))
  end)

  it("lists keys by their beginning, sorted", function()
    for _, key in ipairs { "b:2", "a:1", "b:1", "c", "b" } do call("set", key, 1) end
    assert.same({ { "b:1", "b:2" } }, call("keys", "b:"))
    assert.same({ { "a:1", "b", "b:1", "b:2", "c" } }, call "keys")
  end)

  it("is bounded: what finds it full is told so, and nothing is evicted", function()
    for part = 1, 10 do assert.same({ true }, call("fill", part .. ":")) end
    local full = call("fill", "more:")
    assert.same({ json.null, "full", "string" }, { full[1], full[2], type(full[3]) })
    assert.same({ 1 }, call("get", "1:1"))
    assert.same({ true }, call("set", "1:1", "another"))
    call("delete", "1:2")
    assert.same({ true }, call("set", "new", 1))
  end)

  it("says what is wrong with keys and options", function()
    assert.truthy(fails("own"):find("a key cannot begin with NUL", 1, true))
    assert.truthy(fails("set", ("k"):rep(2049), 1):find("a key of 2049 bytes, 2048 at most", 1, true))
    assert.truthy(fails("set", "k", 1, { tll = 5 }):find("unknown option 'tll'", 1, true))
    assert.truthy(fails("set", "k", 1, { ttl = 0 }):find("ttl must be seconds above 0", 1, true))
    assert.truthy(fails("set", "k", 1, 5):find("expected { ttl = seconds }", 1, true))
  end)
end)
