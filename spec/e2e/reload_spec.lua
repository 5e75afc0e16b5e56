-- HUP: other rules under open streams, or, where they are wrong, none.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local sse  = require "spec.support.sse"
local tree = require "spec.support.tree"
local wait = require "spec.support.wait"

-- An app of this name that emits triggers of this type.
local function rules(name, type)
  return ([[
local sluice = require "sluice"
local app = sluice.app "NAME"
local all = app:topic("all", { subscribe = false })
app:stream("events", { path = "/NAME", topics = function() return all() end })
app:route("say", "POST /NAME/say", { run = function(req) all():emit("TYPE", req.body) return 204 end })
]]):gsub("NAME", name):gsub("TYPE", type)
end

describe("HUP", function()
  local server

  local function write(name, text) e2e.write(server.folder .. "/rules/" .. name, text) end

  -- Waits for one line more of this message in the log.
  local function hup(message)
    local _, before = server:log():gsub(message, "")
    server.process:signal "HUP"
    wait.wait_until(function() return select(2, server:log():gsub(message, "")) > before end)
  end

  before_each(function()
    server = e2e.server { rules = { ["one.lua"] = rules("one", "first"), ["two.lua"] = rules("two", "first") },
                          errors = "not reloaded" }
  end)

  it("puts other rules under open streams", function()
    local tab = sse.open(server.address, { path = "/one" })
    tab:next "ready"
    http.post(server.address, "/one/say", { body = "a" })
    tab:next "first"
    write("one.lua", rules("one", "second"))
    assert.equal(1, server:ready().generation)
    hup "msg=reloaded apps=2"
    assert.equal(2, server:ready().generation)
    http.post(server.address, "/one/say", { body = "b" })
    assert.equal("b", tab:next("second").data)
    assert.is_nil(tab.cut)
  end)

  it("is what `sluice reload` asks for over the admin listener, and tells the outcome of", function()
    local function reload() return { e2e.run { "reload", "--admin", server.admin } } end
    assert.same({ 0, "reloaded: 2 apps, generation 2\n" }, reload())
    write("two.lua", "this is no Lua\n")
    local code, said = unpack(reload())
    assert.equal(1, code)
    assert.matches("^/.-/rules/two%.lua:1: [^\n]+\n$", said)
    assert.equal(2, server:ready().generation)
    local answer = http.post(server.admin, "/reload", { headers = { ["x-sluice-admin"] = "1" } })
    assert.same({ 409, false, 2 }, { answer.status, answer.json().reloaded, answer.json().generation })
    assert.matches("/rules/two%.lua:1: ", answer.json().lines[1])
    assert.equal(403, http.post(server.admin, "/reload").status)
    server:stop()
    code, said = unpack(reload())
    assert.equal(2, code)
    assert.matches("^sluice: no answer from the admin listener at 127", said)
  end)

  it("takes over what the config says, apps among it, and refuses what takes a restart", function()
    local tab = sse.open(server.address, { path = "/two" })
    tab:next "ready"
    local text = tree.read(server.conf)
    local function configure(more, rules_line)
      e2e.write(server.conf, text:gsub("rules = [^\n]+", rules_line or "%0") .. more)
    end
    local function reload() return e2e.run { "reload", "--admin", server.admin } end

    write("three.lua", rules("three", "first"))
    configure("streams = 2\nlog_format = 'json'\n", 'rules = { "rules/one.lua", "rules/t*.lua" }')
    assert.equal(0, (reload()))
    assert.same({ "one", "two", "three" }, server:ready().apps)
    sse.open(server.address, { path = "/three" }):next "ready"
    assert.equal(503, sse.open(server.address, { path = "/three" }).status)
    server:wait_log '"msg":"reloaded"'

    http.post(server.address, "/two/say", { body = "a" })
    tab:next "first"
    configure("streams = 2\n", 'rules = { "rules/one.lua", "rules/three.lua" }')
    assert.equal(0, (reload()))
    tab:wait_end()
    wait.wait_until(function() return server:metric "sluice_rule_vms" == 2 end)
    assert.equal(1, server:metric "sluice_triggers_total") -- of the app that is gone
    assert.equal(1, server:metric 'sluice_streams_ended_total{reason="reload"}')
    assert.equal(404, http.get(server.address, "/two").status)

    for more, expected in pairs {
      ["nonsense = 1\n"] = "unknown key 'nonsense'",
      ["this is no Lua"] = "sse%.lua%.conf:%d+: ",
      ["rules = 'x.lua'\n"] = "set already",
    } do
      configure(more)
      local code, said = reload()
      assert.equal(1, code)
      assert.matches(expected, said)
      assert.is_false(server:ready().reload.good)
      assert.matches(expected, server:ready().reload.lines[1])
    end
    e2e.write(server.conf, (text:gsub('listen = "[^"]+"', 'listen = "127.0.0.1:1"')))
    local code, said = reload()
    assert.equal(1, code)
    assert.matches('listen is "127.0.0.1:1" now, and runs as "127.0.0.1:0": that takes a restart', said)
    for more, expected in pairs {
      ["redis = 'redis://:secret@127.0.0.1:1'\n"] = "redis is another one now: that takes a restart",
      ["redis_prefix = 'b'\n"] = 'redis_prefix is "b" now, and runs as "sluice": that takes a restart',
    } do
      configure(more)
      code, said = reload()
      assert.equal(1, code)
      assert.matches(expected, said)
      assert.is_nil(said:find "secret")
    end
    assert.is_nil(server:log():find "secret")
    assert.same({ "one", "three" }, server:ready().apps)
    configure ""
    assert.equal(0, (reload()))
    assert.is_true(server:ready().reload.good)
  end)

  it("leaves all rules as they are where one file is wrong, and says where", function()
    local tab = sse.open(server.address, { path = "/one" })
    tab:next "ready"
    write("one.lua", rules("one", "second"))
    write("two.lua", rules("two", "second") .. "\nthis is no Lua\n")
    hup "not reloaded, the running rules stay"
    assert.matches("why=.-/rules/two%.lua:%d+: ", server:log())
    assert.equal(1, server:ready().generation)
    http.post(server.address, "/one/say", { body = "a" })
    tab:next "first"
    write("two.lua", (rules("two", "second"):gsub("/two", "/one")))
    hup "not reloaded, the running rules stay"
    assert.matches("clashes with", server:log())
    http.post(server.address, "/one/say", { body = "b" })
    tab:next "first"
  end)
end)
