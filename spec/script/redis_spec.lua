-- sluice.redis: commands of rules, their answers, and what goes wrong.

local json  = require "cjson"
local rules = require "spec.support.rules"
local rig   = require "sluice.rig"

describe("sluice.redis", function()
  local world

  after_each(function() world:close() end)

  local HEAD = [[
    local redis, json = require "sluice.redis", require "sluice.json"
    local db = redis.connect()
  ]]

  local function start(body, before)
    if world then world:close() end
    world = rules.route(body, before or HEAD)
  end

  local function run() return world:request("POST", "/run", {}) end

  -- What a call gives, as JSON: { first, second, third }, "nil" for nil.
  local function outcome(call, script)
    start(([[
      local function show(value) return value == nil and "nil" or value end
      local a, b, c = %s
      return { json = { show(a), show(b), show(c) } }
    ]]):format(call))
    script(world)
    return run().json
  end

  it("sends words as they are, and numbers as digits", function()
    start 'return { json = db:call("set", "a b\\0c", 12, 0.5, -3, 2 ^ 53, 1e15) }'
    world:redis("SET", "OK")
    assert.equal('"OK"', run().body)
    assert.same({ { "SET", "a b\0c", "12", "0.5", "-3", "9007199254740992", "1000000000000000" } },
                world:redis_commands())
  end)

  it("has each command as a method in small letters", function()
    start 'return { json = { db:get "k", db:hget("h", "f"), db:incrby("n", 2) } }'
    world:redis("GET k", "v"):redis("HGET h f", "w"):redis("INCRBY n 2", 7)
    assert.same({ "v", "w", 7 }, run().json)
  end)

  describe("answers", function()
    local function of(value)
      return outcome('db:try "X"', function() world:redis("X", value) end)
    end

    it("with texts, numbers and lists", function()
      assert.same({ "text", "nil", "nil" }, of "text")
      assert.same({ -5, "nil", "nil" }, of(-5))
      assert.same({ { "a", { 1, "b" }, {} }, "nil", "nil" }, of { "a", { 1, "b" }, {} })
      assert.same({ "", "nil", "nil" }, of "")
    end)

    it("with nil where there is nothing, and with false for it in a list", function()
      assert.same({ "nil", "nil", "nil" }, of(nil))
      assert.same({ { "a", false, "c", false }, "nil", "nil" }, of { "a", false, "c", false })
    end)

    it("with { err } for an error in a list", function()
      assert.same({ { 1, { err = "WRONGTYPE no" } }, "nil", "nil" }, of { 1, { err = "WRONGTYPE no" } })
    end)

    it("with the server's own words for an error", function()
      assert.same({ "nil", "error", "WRONGTYPE no" }, of { err = "WRONGTYPE no" })
    end)

    it("that are too large with a code, and not at all", function()
      local answer = of(("x"):rep(4194305))
      assert.same({ "nil", "too_large" }, { answer[1], answer[2] })
      local deep = {}
      for _ = 1, 40 do deep = { deep } end
      assert.equal("too_large", of(deep)[2])
      assert.same({ 4194200 }, { #of(("x"):rep(4194200))[1] })
    end)
  end)

  it("raises where a call is not answered, and tells db:try why", function()
    for _, code in ipairs { "away", "full", "timeout", "lost" } do
      local answer = outcome('db:try("GET", "k")', function() world:redis_fail("GET k", code) end)
      assert.same({ "nil", code, "as the spec said" }, answer)
    end
    start 'return { json = db:get "k" }'
    world:redis_fail("GET k", "lost")
    assert.equal(500, run().status)
    assert.truthy(world:log():find("redis: GET: lost: as the spec said", 1, true))
    world:redis("GET k", { err = "LOADING wait" })
    assert.equal(500, run().status)
    assert.truthy(world:log():find("redis: GET: error: LOADING wait", 1, true))
  end)

  it("lets others run while it waits", function()
    start 'return { json = db:get "k" }'
    local held = world:redis_hold "GET k"
    local one, two = run(), run()
    assert.is_nil(one.status)
    assert.equal(2, held.count)
    held:answer "first"
    held:answer "second"
    assert.same({ "first", "second" }, { one.json or one:result().json, two.json or two:result().json })
  end)

  it("is given up with its handler's deadline", function()
    start 'return { json = db:get "k" }'
    world:redis_hold "GET k"
    local answer = run()
    world:advance(10)
    answer = answer.status and answer or answer:result()
    assert.equal(500, answer.status)
    local log = world:log()
    assert.truthy(log:find("deadline", 1, true), log)
  end)

  it("says that nothing was sent while the server is away, and goes on when it is back", function()
    start [[
      local value, code = db:try("GET", "k")
      return { json = { value or "nothing", code or "no code" } }
    ]]
    world:redis("GET k", "v")
    world:redis_down()
    assert.same({ "nothing", "away" }, run().json)
    assert.same({}, world:redis_commands())
    world:redis_up()
    assert.same({ "v", "no code" }, run().json)
    assert.truthy(world:log():find 'msg="redis of rules is away" app=%S+ why="the spec said so"')
  end)

  it("answers what waits when the connection is lost", function()
    start [[
      local value, code = db:try("GET", "k")
      return { json = { value or "nothing", code or "no code" } }
    ]]
    world:redis_hold "GET k"
    local answer = run()
    world:redis_down()
    assert.same({ "nothing", "lost" }, (answer.status and answer or answer:result()).json)
  end)

  describe("refuses", function()
    local function refused(call)
      start(("local keys = {} for i = 1, 1024 do keys[i] = 'k' end return { json = db:%s }"):format(call))
      assert.equal(500, run().status)
      local log = world:log()
      assert.same({}, world:redis_commands())
      world:close()
      return log
    end

    local SENTENCES = {
      ['subscribe "a"'] = "SUBSCRIBE cannot be sent: app:redis",
      ['psubscribe "a*"'] = "PSUBSCRIBE cannot be sent: app:redis",
      ["multi()"] = "MULTI cannot be sent: what belongs together goes into a script",
      ['watch "k"'] = "WATCH cannot be sent: what belongs together",
      ["select(1)"] = "SELECT cannot be sent: the url says which database",
      ['auth "secret"'] = "AUTH cannot be sent: the url says who it is",
      ['blpop("k", 0)'] = "BLPOP cannot be sent: it would hold up every other handler",
      ['call("xread", "BLOCK", 0, "STREAMS", "s", "$")'] = "XREAD cannot be sent with BLOCK",
      ['call("XREADGROUP", "GROUP", "g", "c", "block", 0, "STREAMS", "s", ">")'] =
        "XREADGROUP cannot be sent with BLOCK",
      ["hello(3)"] = "HELLO cannot be sent: the connection is the app's",
      ["monitor()"] = "MONITOR cannot be sent",
      ['client("reply", "off")'] = "CLIENT reply cannot be sent",
      ['client("KILL", "1")'] = "CLIENT KILL cannot be sent",
      ["shutdown()"] = "SHUTDOWN cannot be sent",
      ["get({})"] = "word 2 of the command is a table, expected a text or a number",
      ["get(nil)"] = "word 2 of the command is nil",
      ["get(0/0)"] = "word 2 of the command is nan",
      ["Get 'k'"] = "a redis handle has no 'Get'; commands are in small letters",
      ["call()"] = "expected a command's name, got nil",
      ["mget(unpack(keys))"] = "a command of 1025 words; 1024 at most",
    }
    for call, sentence in pairs(SENTENCES) do
      it(call:sub(1, 40), function()
        local log = refused(call):gsub("\\", "")
        assert.truthy(log:find(sentence, 1, true), log)
        start "return 204"
      end)
    end
  end)

  it("takes what looks like it but waits for nobody", function()
    start [[
      return { json = { db:xread("COUNT", 1, "STREAMS", "block", "0"), db:client "ID" } }
    ]]
    world:redis("XREAD", { "s" }):redis("CLIENT ID", 4)
    assert.same({ { "s" }, 4 }, run().json)
  end)

  describe(":eval", function()
    it("sends a script's text once, and again to a server that has lost it", function()
      start 'return { json = db:eval("return 1", { "k" }, { "a", 2 }) }'
      world:redis("SCRIPT LOAD", "abc"):redis("EVALSHA", 1)
      run()
      run()
      assert.same({ { "SCRIPT", "LOAD", "return 1" }, { "EVALSHA", "abc", "1", "k", "a", "2" },
                    { "EVALSHA", "abc", "1", "k", "a", "2" } }, world:redis_commands())
      local lost = true
      world:redis("EVALSHA", function()
        if not lost then return 2 end
        lost = false
        return { err = "NOSCRIPT No matching script." }
      end)
      assert.equal("2", run().body)
      assert.equal(2, #world:redis_commands "SCRIPT LOAD")
    end)

    it("raises what the script says", function()
      start 'return { json = db:eval("return redis.error_reply(\'no\')") }'
      world:redis("SCRIPT LOAD", "abc"):redis("EVALSHA abc 0", { err = "no" })
      assert.equal(500, run().status)
      assert.truthy(world:log():find("redis: EVAL: error: no", 1, true))
    end)
  end)

  describe("a connection", function()
    local function urls()
      local list = {}
      for i, server in ipairs(world:redis_servers()) do list[i] = server.url end
      return list
    end

    local function write(path, source)
      local file = assert(io.open(path, "w"))
      file:write(source)
      file:close()
    end

    local function file_with(path, connects)
      write(path, ([[
        local sluice, redis = require "sluice", require "sluice.redis"
        local app = sluice.app "demo"
        %s
        app:route("run", "POST /run", { run = function() return { json = db:get "k" } end })
      ]]):format(connects))
      return path
    end

    it("is one for each url that an app names", function()
      start("return 204", HEAD .. [[
        local again, other = redis.connect "redis://127.0.0.1:6379", redis.connect "unix:///tmp/r.sock?db=2"
      ]])
      assert.same({ "redis://127.0.0.1:6379", "unix:///tmp/r.sock?db=2" }, urls())
    end)

    it("stays over a reload as long as its url does, and goes with the last handler that has it", function()
      local path = os.tmpname() .. ".lua"
      world = rig.load(file_with(path, 'local db = redis.connect "redis://one"'))
      local held = world:redis_hold "GET k"
      local answer = run()
      world:reload(file_with(path, 'local db = redis.connect "redis://one"'))
      assert.same({ "redis://one" }, urls())
      held:answer "v"
      assert.equal('"v"', (answer.status and answer or answer:result()).body)
      answer = run()
      world:reload(file_with(path, 'local db = redis.connect "redis://two"'))
      assert.same({ "redis://one", "redis://two" }, urls())
      held:answer "w"
      assert.equal('"w"', (answer.status and answer or answer:result()).body)
      world:run()
      assert.same({ "redis://two" }, urls())
      os.remove(path)
    end)

    it("is not left of a reload that fails", function()
      local path = os.tmpname() .. ".lua"
      world = rig.load(file_with(path, 'local db = redis.connect "redis://one"'))
      assert.is_false(pcall(world.reload, world, file_with(path, 'local db = redis.connect "redis://two" oops()')))
      assert.same({ "redis://one" }, urls())
      os.remove(path)
    end)

    it("may name no server where the config names none", function()
      local path = os.tmpname() .. ".lua"
      file_with(path, "local db = redis.connect()")
      local good, why = pcall(rig.load, path, { redis = false })
      assert.is_false(good)
      assert.equal(path .. ":3: redis.connect: no url is given, and the config names no redis; set redis = "
        .. '"redis://..." in it', why)
      os.remove(path)
      start "return 204"
    end)
  end)

  it("sends nothing of rules in the shadow of others", function()
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      local sluice, redis = require "sluice", require "sluice.redis"
      local app = sluice.app "demo"
      local db, all = redis.connect(), app:topic "all"
      local ingest = app:ingest("in", { path = "/in", authorize = false })
      ingest:on("x", function() all():emit("x", (select(2, db:try("INCR", "n"))) or "sent") end)
    ]]
    file:close()
    world = rig.load(path)
    world:redis("INCR n", 1)
    world:shadow(path)
    assert.equal(200, world:publish("/in", { type = "x", data = {} }).status)
    assert.same({ { "INCR", "n" } }, world:redis_commands())
    assert.equal("sent", world:triggers()[1].data)
    assert.equal(1, world:shadowed().different)
    os.remove(path)
  end)

  it("has no data of its own in a rig: what a spec does not script fails it", function()
    start 'return { json = db:get "k" }'
    local good, why = pcall(run)
    assert.is_false(good)
    assert.truthy(why:find('the rules sent GET k to Redis, which this spec does not script; world:redis("GET k", ...)',
                           1, true))
    assert.equal("[1]", json.encode { 1 })
  end)
end)
