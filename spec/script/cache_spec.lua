-- sluice.cache: one load for all who wait, kept for a while, bounded.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local TEXT = [[
local http, cache, json = require "sluice.http", require "sluice.cache", require "sluice.json"
local names = cache.new("names", { ttl = 60, absent_ttl = 5, size = 3, load = function(key)
  local answer = http.get(http.url("http://app.test/names/{key}", { key = key }), { timeout = 300 })
  if answer.status == 404 then return nil end
  return answer:expect(200):json().name
end })
app:route("get", "GET /get/{key}", { run = function(_, params) return 200, tostring(names:get(params.key)) end })
app:route("peek", "GET /peek/{key}", { run = function(_, params)
  local value, known = names:peek(params.key)
  return 200, tostring(value) .. " " .. tostring(known)
end })
app:route("set", "PUT /set/{key}", { run = function(req, params)
  names:set(params.key, req.body ~= "" and req.body or nil)
  return 204
end })
app:route("forget", "DELETE /forget/{key}", { run = function(_, params) names:forget(params.key) return 204 end })
app:route("clear", "DELETE /clear", { run = function() names:clear() return 204 end })
app:route("odd", "GET /odd", { run = function() return 200, tostring(names:get(nil)) end })
]]

describe("a cache", function()
  local world

  before_each(function() world = rules.load(TEXT) end)
  after_each(function() seen.close(world) end)

  local function get(key) return world:request("GET", "/get/" .. key).body end
  local function peek(key) return world:request("GET", "/peek/" .. key).body end
  local function loads(key) return #world:requests("GET /names/" .. key) end
  local function reply(key, name) world:reply("GET /names/" .. key, { json = { name = name } }) end

  it("loads once, and again when its time is over", function()
    reply("a", "Ann")
    assert.equal("Ann", get "a")
    reply("a", "Anna")
    world:advance(59.9)
    assert.equal("Ann", get "a")
    assert.equal(1, loads "a")
    world:advance(0.2)
    assert.equal("Anna", get "a")
    assert.equal(2, loads "a")
  end)

  it("loads once for many who wait", function()
    local held, answers = world:hold "GET /names/a", {}
    for i = 1, 50 do answers[i] = world:request("GET", "/get/a") end
    assert.equal(1, held.count)
    held:answer { json = { name = "Ann" } }
    for i = 1, 50 do assert.equal("Ann", answers[i]:result().body) end
    assert.equal(1, held.count)
  end)

  it("does not keep an error, and gives it to all who wait", function()
    local held, answers = world:hold "GET /names/a", {}
    for i = 1, 3 do answers[i] = world:request("GET", "/get/a") end
    held:answer { status = 500 }
    for i = 1, 3 do assert.equal(500, answers[i]:result().status) end
    local lines, errors = world:log()
    assert.equal(3, errors, lines)
    assert.truthy(lines:find("status 500, expected 200", 1, true), lines)
    reply("a", "Ann")
    assert.equal("Ann", get "a")
  end)

  it("keeps for a shorter time that there is nothing", function()
    world:reply("GET /names/a", { status = 404 })
    assert.equal("nil", get "a")
    assert.equal("nil true", peek "a")
    world:advance(4.9)
    assert.equal("nil", get "a")
    assert.equal(1, loads "a")
    world:advance(0.2)
    assert.equal("nil false", peek "a")
    assert.equal("nil", get "a")
    assert.equal(2, loads "a")
  end)

  it("lets go of what was not used for longest", function()
    for _, key in ipairs { "a", "b", "c" } do
      reply(key, key)
      get(key)
    end
    get "a"
    reply("d", "d")
    get "d"
    assert.same({ "a true", "nil false", "c true", "d true" }, { peek "a", peek "b", peek "c", peek "d" })
    world:request("PUT", "/set/e", { body = "e" })
    assert.same({ "a true", "nil false", "d true", "e true" }, { peek "a", peek "c", peek "d", peek "e" })
  end)

  it("is set, forgotten and cleared", function()
    world:request("PUT", "/set/a", { body = "Ann" })
    assert.equal("Ann", get "a")
    world:request("PUT", "/set/b")
    assert.equal("nil true", peek "b")
    world:request("DELETE", "/forget/a")
    assert.equal("nil false", peek "a")
    world:request("PUT", "/set/a", { body = "Ann" })
    world:request("DELETE", "/clear")
    assert.same({ "nil false", "nil false" }, { peek "a", peek "b" })
  end)

  it("does not keep what was loading when it was set or forgotten", function()
    local held = world:hold "GET /names/a"
    local first = world:request("GET", "/get/a")
    world:request("DELETE", "/forget/a")
    local second = world:request("GET", "/get/a")
    assert.equal(2, held.count)
    held:answer { json = { name = "old" } }
    assert.equal("old", first:result().body)
    assert.equal("nil false", peek "a")
    world:request("PUT", "/set/a", { body = "set" })
    held:answer { json = { name = "new" } }
    assert.equal("new", second:result().body)
    assert.equal("set", get "a")
  end)

  it("goes on loading for the others when the first who asked is gone", function()
    local held = world:hold "GET /names/a"
    local first = world:connect "/get/a"
    local second = world:request("GET", "/get/a")
    first:close()
    held:answer { json = { name = "Ann" } }
    assert.equal("Ann", second:result().body)
    assert.equal(1, held.count)
  end)

  it("says so when a load takes too long", function()
    local held = world:hold "GET /names/a"
    local first = world:request("GET", "/get/a")
    world:advance(5)
    local second = world:request("GET", "/get/a")
    world:advance(5)
    assert.equal(500, first:result().status)
    world:advance(0.3)
    assert.equal(500, second:result().status)
    local lines = world:log()
    assert.truthy(lines:find('in="load of cache names"', 1, true), lines)
    assert.truthy(lines:find("was ended before it returned", 1, true), lines)
    assert.equal(1, held.count)
    reply("a", "Ann")
    assert.equal("Ann", get "a")
  end)

  it("is dropped by a reload, and who waited for it is still answered", function()
    world:request("PUT", "/set/b", { body = "Bob" })
    local held = world:hold "GET /names/a"
    local first = world:request("GET", "/get/a")
    rules.reload(world, TEXT)
    world:advance(0.3)
    assert.equal(2, held.count)
    held:answer { json = { name = "of the load that the reload has ended" } }
    held:answer { json = { name = "Ann" } }
    assert.equal("Ann", first:result().body)
    assert.equal("nil false", peek "b")
    assert.equal("nil false", peek "a")
  end)

  it("takes no key that is none", function()
    assert.equal(500, world:request("GET", "/odd").status)
    local lines = world:log()
    assert.truthy(lines:find("cache 'names': get: the key is nil, expected a text or a number", 1, true), lines)
  end)
end)
