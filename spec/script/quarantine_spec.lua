-- Quarantine: what a rule costs others is bounded, also where it costs it again and again.

local rules = require "spec.support.rules"

local KILLS = 3

describe("a hook that is killed again and again", function()
  local world

  after_each(function() world:close() end)

  local function load(text, options)
    options = options or {}
    options.slice, options.memory = options.slice or 0.02, options.memory or 8 * 1048576
    options.quarantine = options.quarantine or KILLS
    world = rules.load(text, options)
  end

  -- What a body does when the query's `how` says so: it is told by what is in the store, too.
  local ROUTE = [[
    local store = require "sluice.store"
    app:route("run", "POST /run/{how}", { run = function(req, params)
      store.increment "runs"
      if params.how == "loop" then while true do end end
      if params.how == "hog" then local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end end
      if params.how == "raise" then error "the app's server is down" end
      if params.how == "same words" then error "its server says: not enough memory" end
      if params.how == "sleep" then require "sluice.time".sleep(3600) end
      if params.how == "refuse" then req:json() end
      return 204
    end })
    app:route("runs", "GET /runs", { run = function() return 200, tostring(store.get "runs") end })
  ]]

  local function ask(how, times)
    local statuses = {}
    for i = 1, times or 1 do
      local answer = world:request("POST", "/run/" .. how:gsub(" ", "%%20"), { body = "{" })
      if how == "sleep" then world:advance(11) end
      statuses[i] = answer:result().status
    end
    return statuses
  end

  local function runs() return tonumber(world:request("GET", "/runs").body) end

  for how, logged in pairs { loop = "stopped: ran for more than 20 ms", hog = "not enough memory" } do
    it("is answered as failed, without being run, and said once: " .. how, function()
      load(ROUTE)
      assert.same({ 500, 500, 500 }, ask(how, KILLS))
      local lines, errors = world:log()
      assert.equal(KILLS + 1, errors, lines)
      assert.truthy(lines:find(logged, 1, true), lines)
      assert.matches('msg="rule quarantined" app=demo in="route run" declared=%S*rules.lua:3 kills=3 ' ..
                     'what_to_do="it is not run any more: mend the rule, then reload"', lines)
      assert.same({ 500, 500 }, ask(how, 2))
      assert.same({ 500 }, ask "fine")
      assert.equal(KILLS, runs())
      assert.equal("", (world:log()))
    end)
  end

  it("is run on where one call in between ended well, or refused in words of its own", function()
    load(ROUTE)
    assert.same({ 500, 500, 204 }, { ask "loop"[1], ask "hog"[1], ask "fine"[1] })
    assert.same({ 500, 500, 400 }, { ask "loop"[1], ask "loop"[1], ask "refuse"[1] })
    assert.same({ 500, 500, 204 }, { ask "loop"[1], ask "loop"[1], ask "fine"[1] })
    assert.equal(9, runs())
    assert.is_nil(world:log():find "quarantined")
  end)

  it("is not what merely raises, or waits for too long: that works again when its server does", function()
    load(ROUTE)
    for _, how in ipairs { "raise", "same words", "sleep" } do ask(how, 2 * KILLS) end
    assert.same({ 204 }, ask "fine")
    assert.is_nil(world:log():find "quarantined")
  end)

  it("is counted on where what merely raises stands between", function()
    load(ROUTE)
    for _, how in ipairs { "loop", "raise", "loop", "sleep", "loop" } do ask(how) end
    assert.truthy(world:log():find "quarantined")
  end)

  it("is run for ever where the config says 0", function()
    load(ROUTE, { quarantine = 0 })
    ask("loop", 10)
    assert.equal(10, runs())
    world:log()
  end)

  it("begins anew with a reload", function()
    load(ROUTE)
    ask("loop", KILLS)
    rules.reload(world, ROUTE)
    assert.same({ 204, 500, 500, 500, 500 }, { ask "fine"[1], unpack(ask("loop", 4)) })
    local lines = world:log()
    assert.equal(2, select(2, lines:gsub("rule quarantined", "")))
  end)

  it("closes access, tells topics to re-read, and leaves other hooks alone", function()
    load [[
      local bad = false
      local all = app:topic("all", { filter = function() while bad do end return true end })
      local feed = app:upstream("feed", { key = function() return "k" end,
        request = function() return "http://up/feed" end })
      feed:on("tick", function(ev) while bad do end all():emit("tick", ev.data) end)
      feed:on("other", function(ev) all():emit("other", ev.data) end)
      local who = sluice.identity(function(req)
        while bad and req.query.user == "eve" do end
        return { user = req.query.user }
      end)
      app:stream("s", { path = "/s", identity = who, upstreams = { feed }, topics = function() return all() end })
      app:stream("open", { path = "/open", topics = function() return "open" end })
      app:topic "open"
      app:route("bad", "POST /bad/{way}", { run = function(_, params) bad = params.way == "on" return 204 end })
    ]]
    local ann, link = world:connect "/s?user=ann", world:upstream("feed", "k")
    link:send("tick", "1")
    world:request("POST", "/bad/on")
    for i = 1, KILLS + 2 do
      assert.equal(503, world:connect "/s?user=eve".status)
      link:send("tick", tostring(i))
    end
    world:request("POST", "/bad/off")
    link:send("tick", "never seen")
    world:advance(120)
    assert.equal(503, world:connect "/s?user=ann".status)
    assert.equal(200, world:connect "/open".status)
    local told = 0
    for _, event in ipairs(ann:events()) do
      assert.is_not.equal("never seen", event.data)
      if event.data:find '"reason":"rule"' then told = told + 1 end
    end
    assert.equal(KILLS + 3, told)
    assert.equal(2, select(2, world:log():gsub("rule quarantined", "")))
  end)

  it("keeps the library's own part of it: a tab that ends closes what it showed", function()
    load [[
      local http = require "sluice.http"
      local read = require "sluice.watermark".new(app, "read", {
        post = function(user, data, peer, row) http.post("http://x/read", { json = { row = row } }) end })
      local who = sluice.identity(function() return { user = "ann" } end)
      app:stream("s", { path = "/s", identity = who, topics = function() return "t" end,
        disconnect = function() while true do end end })
      app:topic "t"
      app:route("open", "POST /open", { run = function()
        read:open("ann", "a-tab-of-ann-0001", "bob", 1)
        return 204
      end })
      app:route("new", "POST /new", { run = function() return 200, tostring(read:advance("ann", "bob", 2)) end })
    ]]
    world:reply("POST /read", { status = 204 })
    for _ = 1, KILLS do world:connect "/s":close() end
    assert.truthy(world:log():find('in="disconnect of stream s" declared=%S*rules.lua:7 kills=3'))
    local tab = world:connect("/s", { tag = "a-tab-of-ann-0001" })
    world:request("POST", "/open")
    tab:close()
    world:connect("/s", { tag = "a-tab-of-ann-0001" })
    assert.equal("nil", world:request("POST", "/new").body)
  end)

  it("may be one that the library calls: a watermark's post", function()
    load [[
      local read = require "sluice.watermark".new(app, "read", { post = function() while true do end end })
      app:route("open", "POST /open/{peer}", { run = function(_, params)
        read:open("ann", nil, params.peer, 1)
        return 204
      end })
    ]]
    for i = 1, KILLS do world:request("POST", "/open/" .. i) end
    local lines, errors = world:log()
    assert.equal(KILLS + 1, errors)
    assert.truthy(lines:find('in="post of watermark read" declared=%S*rules.lua:2 kills=3', 1), lines)
    world:advance(120)
    assert.equal("", (world:log()))
    assert.equal(204, world:request("POST", "/open/4").status)
  end)
end)
