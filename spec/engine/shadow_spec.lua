-- Rules in the shadow of the running ones: called for the same events, compared, and nothing of it reaches anybody.

local rules = require "spec.support.rules"

-- The handler of `note`, what stands in front of it, and what else; as text.
local function text(handler, before, more)
  return ([[
    local http, store, time = require "sluice.http", require "sluice.store", require "sluice.time"
    local me = sluice.identity(function(req) return { user = req.headers["x-user"] or "ann" } end)
    local mine = app:topic("user:{user}", { history = { size = 8, ttl = 300 } })
    local feed = app:upstream("feed", { key = function(sub) return sub.user end, topic = mine,
      request = function(key) return { url = "http://feed.test/events" } end })
    %s
    %s
    app:stream("events", { path = "/events", identity = me, upstreams = { feed },
      topics = function(_, sub) return mine(sub.user) end })
    app:route("get", "GET /store/{key}", { run = function(_, params)
      return { json = { value = store.get(params.key) } }
    end })
    %s]]):format(before or "", handler and ('feed:on("note", %s)'):format(handler) or "", more or "")
end

local SAME = [[function(ev) mine(ev.key):emit("said", ev.data, { replaces = "x" }) end]]

describe("a shadow", function()
  local world

  local function start(...) world = rules.load(text(...)) end
  local function shadow(...)
    return rules.with_file(rules.head(text(...)), function(path) return world:shadow(path) end)
  end
  local function connect(user) return world:connect("/events", { headers = { ["x-user"] = user } }) end
  local function send(data, type) world:upstream("feed", "ann"):send(type or "note", data, { id = data }) end
  local function counts()
    local seen = world:shadowed()
    return { seen.events, seen.different, seen.failed, seen.skipped }
  end
  local function stored(key) return world:request("GET", "/store/" .. key).json.value end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("that does the same is not told from the running rules, and delivers nothing", function()
    start(SAME)
    local tab = connect()
    shadow(SAME)
    for i = 1, 3 do send(tostring(i)) end
    assert.same({ "said", "said", "said" }, tab:types())
    assert.same({ 3, 0, 0, 0 }, counts())
    assert.same({}, world:shadowed().differences)
    assert.equal(3, world:counters().emitted)
    assert.equal(2, world:counters().vms)
    world:shadow(nil)
    assert.equal(1, world:counters().vms)
    send "4"
    assert.is_nil(world:shadowed())
  end)

  it("that does otherwise is told of, line by line", function()
    start [[function(ev)
      mine(ev.key):emit("first", ev.data)
      mine(ev.key):emit("second", { n = 1 }, { replaces = "k", within = 0.5 })
      mine(ev.key):resync "rule"
    end]]
    local tab = connect()
    shadow [[function(ev)
      mine(ev.key):emit("first", ev.data)
      mine(ev.key):emit("second", { n = 2 }, { replaces = "k", within = 0.5, tag = ("t"):rep(16) })
      mine "bob":emit("third")
      mine(ev.key):resync "rule"
    end]]
    send "7"
    assert.same({ 1, 1, 0, 0 }, counts())
    local difference = world:shadowed().differences[1]
    assert.equal("feed ann: note [id 7]", difference.event)
    assert.equal('  user:ann first 7\n'
      .. '- user:ann second {"n":1} [replaces k] [within 0.5 s]\n'
      .. '+ user:ann second {"n":2} [user ann] [tag tttttttttttttttt] [replaces k] [within 0.5 s]\n'
      .. '+ user:bob third  \n'
      .. '  user:ann resync rule\n', (difference.lines:gsub("third *\n", "third  \n")))
    assert.same({ "first", "resync" }, tab:types())
    world:advance(1)
    assert.same({ "first", "resync", "second" }, tab:types())
  end)

  it("is told of by what a trigger carries, too, and wraps as its own rules say", function()
    local topic = [[local more = app:topic("more", { id = "publisher",
      wrap = function(type, data) return data .. "%s" end })]]
    start([[function(ev) more():emit("t", "x", { id = ev.id, meta = { n = 1 }, retry = 2 }) end]], topic:format "")
    connect()
    shadow([[function(ev) more():emit("t", "x", { id = ev.id, meta = { n = 2 } }) end]], topic:format "!")
    send "7"
    assert.equal('- more t x [id 7] [meta {"n":1}] [retry 2 s]\n+ more t x! [id 7] [meta {"n":2}]\n',
      world:shadowed().differences[1].lines)
    assert.equal("x", world:triggers("more")[1].data)
  end)

  it("is told of where only one of both handles an event, or fails", function()
    start(SAME)
    connect()
    shadow(nil, nil, [[feed:on("other", function(ev) mine(ev.key):emit("more") end)
                       feed:on("fails", function() error "not today" end)]])
    send "1"
    send("2", "other")
    send("3", "fails")
    assert.same({ 4, 3, 1, 0 }, { counts()[1] + 1, counts()[2], counts()[3], counts()[4] })
    local differences = world:shadowed().differences
    assert.equal("- user:ann said 1 [replaces x]\n", differences[1].lines)
    assert.matches("^%+ user:ann more", differences[2].lines)
    assert.equal("+ it failed\n", differences[3].lines)
    local log, errors = world:log()
    assert.equal(0, errors)
    assert.matches('msg="shadow: rule failed".-not today', log)
  end)

  it("posts nothing: it is given the answer that the running rules are given", function()
    local post = [[function(ev)
      local answer = http.post("http://app.test/post", { json = { n = ev.data } })
      mine(ev.key):emit("posted", answer.status .. answer:json().said)
    end]]
    start(post)
    local tab = connect()
    shadow(post)
    local held = world:hold "POST /post"
    send "1"
    world:advance(3)
    held:answer { status = 201, json = { said = "yes" } }
    assert.equal(1, held.count)
    assert.equal("201yes", tab:events()[2].data)
    assert.same({ 1, 0, 0, 0 }, counts())
    world:reply("POST /post", { status = 200, json = { said = "no" } })
    send "2"
    assert.equal(2, #world:requests "POST /post")
    assert.same({ 2, 0, 0, 0 }, counts())
  end)

  it("posts nothing that only it would, and is told so", function()
    start(SAME)
    local tab = connect()
    shadow [[function(ev)
      local answer, code = http.try { method = "POST", url = "http://app.test/post" }
      mine(ev.key):emit("said", ev.data, { replaces = "x" })
      mine(ev.key):emit("post", code)
    end]]
    send "1"
    world:advance(3)
    assert.equal(0, #world:requests "POST /post")
    assert.equal(1, world:shadowed().unsent)
    assert.matches("%+ user:ann post network", world:shadowed().differences[1].lines)
    assert.same({ "said" }, tab:types())
  end)

  it("reads what it wants to: what the running rules asked as well is asked once", function()
    local read = [[function(ev) mine(ev.key):emit("read", http.get("http://app.test/read").body) end]]
    start(read)
    connect()
    shadow(read)
    local number = 0
    world:reply("GET /read", function()
      number = number + 1
      return { status = 200, body = tostring(number) }
    end)
    send "1"
    assert.same({ 1, 0, 0, 0 }, counts())
    assert.equal(1, #world:requests "GET /read")
    world:reply("GET /more", { status = 200 })
    shadow [[function(ev)
      http.get "http://app.test/more"
      mine(ev.key):emit("read", http.get("http://app.test/read").body)
    end]]
    send "2"
    world:advance(0.2)
    assert.equal(1, #world:requests "GET /more")
    assert.equal(2, #world:requests "GET /read")
    assert.same({ 1, 0, 0, 0 }, counts())
  end)

  it("writes into a store of its own over the app's", function()
    local count = [[function(ev) mine(ev.key):emit("count", store.increment "n") end]]
    start(count)
    local tab = connect()
    send "1"
    shadow(count)
    send "2"
    send "3"
    assert.same({ 2, 0, 0, 0 }, counts())
    assert.equal(3, stored "n")
    assert.equal("3", tab:events()[4].data)
    world:shadow(nil)
    assert.equal(3, stored "n")
  end)

  it("ends nobody's stream, changes nobody's data", function()
    start(SAME)
    local tab = connect()
    shadow [[function(ev)
      local sub = app:subscribers { user = "ann" }[1]
      sub:set { changed = true }
      sub:close()
      mine(ev.key):emit("ended", app:disconnect { user = "ann" })
    end]]
    send "1"
    assert.same({ true, 1 }, { tab:is_open(), counts()[2] })
    assert.matches("%+ user:ann ended 1", world:shadowed().differences[1].lines)
    assert.same({ "said" }, tab:types())
  end)

  it("keeps the order of a key's events where it is slower, and is called for what it can follow", function()
    start [[function(ev) mine(ev.key):emit("said", ev.data) end]]
    connect()
    shadow [[function(ev)
      if ev.data == "1" then time.sleep(5) end
      store.set("seen", (store.get "seen" or "") .. ev.data)
      mine(ev.key):emit("said", ev.data)
      if ev.data == "3" then mine(ev.key):emit("seen", store.get "seen") end
    end]]
    for i = 1, 3 do send(tostring(i)) end
    assert.equal(0, counts()[1])
    world:advance(6)
    assert.same({ 3, 1, 0, 0 }, counts())
    assert.matches("%+ user:ann seen 123", world:shadowed().differences[1].lines)
    shadow [[function(ev) time.sleep(9) mine(ev.key):emit("said", ev.data) end]]
    for i = 1, 1005 do send(tostring(i)) end
    assert.equal(5, counts()[4])
  end)

  it("is dropped by a reload, a drain and the end, whatever it is at", function()
    local slow = [[function(ev) http.get "http://app.test/slow" time.sleep(8) end]]
    start(SAME)
    connect()
    shadow(slow)
    local held = world:hold "GET /slow"
    send "1"
    send "2"
    world:advance(0.2)
    assert.equal(1, held.count)
    rules.reload(world, text(SAME))
    assert.is_nil(world:shadowed())
    assert.equal(1, world:counters().vms)
    shadow(slow)
    send "3"
    shadow(SAME)
    assert.equal(2, world:counters().vms)
    shadow(slow)
    send "4"
  end)

  it("that says the same in another order of fields is not told of: Lua has no order of fields", function()
    local fields, names = {}, { "authorization", "cookie", "accept", "x-one", "x-two", "from", "te" }
    for i, name in ipairs(names) do fields[i] = ("[%q] = ev.data"):format(name) end
    local all = table.concat(fields, ", ")
    local both = ([[function(ev)
      local fields = { %s }
      http.post("http://app.test/post", { json = fields, headers = fields })
      mine(ev.key):emit("fields", fields)
    end]]):format(all)
    start(both)
    connect()
    world:reply("POST /post", { status = 204 })
    for i = 1, 8 do
      shadow(both)
      send(tostring(i))
      world:advance(3)
      assert.same({ 1, 0, 0, 0 }, counts())
    end
    assert.equal(8, #world:requests "POST /post")
  end)

  it("is compared with what its own event's call emitted, not with what else the app emits", function()
    local slow = [[function(ev) mine(ev.key):emit("said", ev.data) time.sleep(1) mine(ev.key):emit("late") end]]
    local more = [[app:route("say", "POST /say", { run = function() mine "ann":emit("by the way") return 204 end })]]
    start([[function(ev) mine(ev.key):emit("said", ev.data) mine(ev.key):emit("late") end]], nil, more)
    connect()
    shadow(slow)
    send "1"
    send("2", "unheard")
    assert.equal(204, world:request("POST", "/say").status)
    world:advance(2)
    assert.same({ 2, 0, 0, 0 }, counts())
  end)

  it("is compared with all of what is emitted, of which not all is shown", function()
    local function emits(data) return ([[function(ev) mine(ev.key):emit("said", %s) end]]):format(data) end
    start(emits [[("x"):rep(1000) .. "a" .. ("x"):rep(3000)]])
    connect()
    shadow(emits [[("x"):rep(1000) .. "b" .. ("x"):rep(3000)]])
    send "1"
    assert.same({ 1, 1, 0, 0 }, counts())
    local lines = world:shadowed().differences[1].lines
    assert.matches("^%- user:ann said x+%.%.%. 4001 bytes, .-\n%+ user:ann said x+%.%.%. 4001 bytes, .-\n$", lines)
    assert.is_true(#lines < 2000)
    shadow(emits [[("x"):rep(1000) .. "a" .. ("x"):rep(3000)]])
    send "2"
    assert.same({ 1, 0, 0, 0 }, counts())
  end)

  it("that emits much takes not much memory, and is compared all the same", function()
    local function emits(last) return ([[function(ev)
      for i = 1, 900 do mine(ev.key):emit("said", i .. ("x"):rep(380)) end
      mine(ev.key):emit("last", %q)
    end]]):format(last) end
    start(emits "a")
    connect()
    shadow(emits "b")
    send "1"
    assert.same({ 1, 1, 0, 0 }, counts())
    assert.is_true(#world:shadowed().differences[1].lines < 70000)
    assert.matches("more", world:shadowed().differences[1].lines)
    shadow(emits "a")
    send "2"
    assert.same({ 1, 0, 0, 0 }, counts())
  end)

  it("shows what came from outside without what a terminal obeys", function()
    start [[function() end]]
    connect()
    shadow [[function(ev) mine(ev.key):emit("said", ev.data) end]]
    send "a\27[2Jb\7\127c"
    assert.matches("^%+ user:ann said a %[2Jb  c%.%.%. 9 bytes, %x+\n$", world:shadowed().differences[1].lines)
    assert.is_nil(world:shadowed().differences[1].event:find "%c")
  end)

  it("that is far behind catches up with all of it", function()
    start(SAME)
    local tab = connect()
    shadow [[function(ev)
      if ev.data == "0" then time.sleep(5) end
      mine(ev.key):emit("said", ev.data, { replaces = "x" })
    end]]
    for i = 0, 900 do send(tostring(i)) end
    assert.equal(901, #tab:types())
    world:advance(6)
    assert.same({ 901, 0, 0, 0 }, counts())
  end)

  it("is not called for what would take too much memory until it has caught up", function()
    start(SAME)
    connect()
    shadow [[function(ev) time.sleep(9) mine(ev.key):emit("said", ev.data, { replaces = "x" }) end]]
    for i = 1, 40 do send(i .. ("x"):rep(1e6)) end
    assert.is_true(counts()[4] > 20)
  end)

  it("has a watermark that is never told by itself, whatever becomes of the running one", function()
    local before = [[local watermark = require "sluice.watermark"
      local read = watermark.new(app, "read", { wait = 0.5, backoff = { min = 0.2, max = 2 },
        post = function(user, _, peer, row)
          http.post("http://app.test/read", { json = { user, peer, row } }):expect(204)
        end })]]
    local open = [[app:route("open", "POST /open/{row}", { identity = me, run = function(req, params)
      read:open(req.user, nil, "bob", tonumber(params.row)) return 204 end })]]
    local advance = [[function(ev)
      mine(ev.key):emit("advanced", tostring(read:advance("ann", "bob", tonumber(ev.data))))
    end]]
    local eager = [[function(ev)
      read:open("ann", nil, "bob", 1000)
      mine(ev.key):emit("advanced", tostring(read:advance("ann", "bob", tonumber(ev.data))))
    end]]
    local function bodies()
      local rows = {}
      for i, request in ipairs(world:requests "POST /read") do rows[i] = request.body end
      return rows
    end
    start(advance, before, open)
    connect()
    shadow(advance, before, open)
    world:reply("POST /read", { status = 204 })
    assert.equal(204, world:request("POST", "/open/1").status)
    send "2"
    world:advance(1)
    assert.same({ 1, 0, 0, 0 }, counts())
    assert.same({ '["ann","bob",1]', '["ann","bob",2]' }, bodies())
    world:reply("POST /read", { status = 500 })
    send "3"
    world:advance(20)
    world:reply("POST /read", { status = 204 })
    world:advance(20)
    local posted = #bodies()
    assert.equal('["ann","bob",3]', bodies()[posted])
    shadow(eager, before, open)
    send "4"
    world:advance(700)
    assert.equal('["ann","bob",3]', bodies()[#bodies()])
    assert.equal(posted, #bodies())
    assert.is_true(world:shadowed().unsent > 0)
    world:shadow(nil)
    world:advance(60)
    assert.equal(posted, #bodies())
    assert.equal(1, world:counters().vms)
  end)

  it("is in quarantine by itself: the running rules go on, and are not in it", function()
    start(SAME)
    local tab = connect()
    shadow [[function(ev) mine(ev.key):emit("said", ev.data, { replaces = "x" }) while ev.data ~= "9" do end end]]
    for i = 1, 9 do send(tostring(i)) end
    assert.equal(9, #tab:types())
    assert.same({ 9, 9, 9, 0 }, counts())
    local log, errors = world:log()
    assert.equal(0, errors)
    assert.matches('level=warn msg="shadow: rule quarantined"', log)
    assert.equal(0, world:counters().quarantined or 0)
  end)

  it("tells the events of an upstream that is gone meanwhile by its name", function()
    local more = [[local gone = app:upstream("gone", { key = function(sub) return sub.user end,
        request = function() return { url = "http://gone.test/events" } end })
      gone:on("note", function(ev) mine(ev.key):emit("said", ev.data) end)
      app:stream("more", { path = "/more", identity = me, upstreams = { gone },
        topics = function(_, sub) return mine(sub.user) end })]]
    start(SAME, nil, more)
    connect()
    local tab = world:connect "/more"
    shadow(SAME, nil, (more:gsub("mine%(ev.key%)", "time.sleep(3) %0"):gsub("ev.data", '"other"')))
    world:upstream("gone", "ann"):send("note", "1")
    tab:close()
    world:advance(60)
    assert.same({ 1, 1, 0, 0 }, counts())
    assert.equal("gone ann: note", world:shadowed().differences[1].event)
  end)

  it("that is wrong is refused, and the running rules go on", function()
    start(SAME)
    local tab = connect()
    assert.has_error(function() shadow "this is no Lua" end)
    assert.is_nil(world:shadowed())
    send "1"
    assert.same({ "said" }, tab:types())
    assert.equal(1, world:counters().vms)
  end)

  it("is stopped like any rule where it does not end", function()
    start(SAME)
    local tab = connect()
    shadow "function() while true do end end"
    send "1"
    assert.same({ "said" }, tab:types())
    assert.same({ 1, 1, 1, 0 }, counts())
  end)
end)
