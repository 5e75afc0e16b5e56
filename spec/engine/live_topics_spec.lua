-- Topics of a stream that lives: sub:join, sub:subscribe, sub:leave.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

-- `may`: the subscribe of room:{n}; `topics`: of the stream; `more`: declarations.
local function text(may, topics, more)
  return ([[
    local http = require "sluice.http"
    local mine = app:topic("user:{user}", { history = { size = 8, ttl = 300 } })
    local room = app:topic("room:{n}", { history = { size = 8, ttl = 300 }, retain = true, subscribe = %s })
    local session = sluice.identity(function(req) return { user = req.headers["x-user"] or "ann" } end)
    app:stream("events", { path = "/events", identity = session, topics_max = 4,
      topics = %s })
    app:route("change", "POST /change/{what}/{n}", { run = function(req, params)
      local sub = app:subscribers { user = "ann" }[1]
      local done, code = sub[params.what](sub, params.n == "nowhere" and "nowhere" or room(params.n))
      return 200, tostring(done) .. " " .. tostring(code)
    end })
    app:route("emit", "POST /emit/{n}/{data}", { run = function(req, params)
      room(params.n):emit("said", params.data)
      return 204
    end })
    local gone
    app:route("keep", "POST /keep", { run = function() gone = app:subscribers { user = "ann" }[1] return 204 end })
    app:route("gone", "POST /gone/{what}", { run = function(req, params)
      local done, code = gone[params.what](gone, room "1")
      return 200, tostring(done) .. " " .. tostring(code)
    end }) %s]]):format(may or "function() return true end", topics or "function(_, sub) return mine(sub.user) end",
      more or "")
end

describe("the topics of a stream that lives", function()
  local world, tab

  local function start(...)
    world = rules.load(text(...))
    tab = world:connect "/events"
  end
  local function reload(...) rules.reload(world, text(...)) end
  local function change(what, n) return world:request("POST", ("/change/%s/%s"):format(what, n)) end
  local function changed(what, n) return change(what, n).body end
  local function emit(n, data) assert.equal(204, world:request("POST", ("/emit/%s/%s"):format(n, data)).status) end
  local function said(of) return table.concat(seen.data(of or tab, "said"), " ") end
  local function told()
    local list = {}
    for _, resync in ipairs(seen.resyncs(tab)) do list[#list + 1] = resync.reason .. " " .. resync.topics[1] end
    return table.concat(list, ", ")
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("begin when it joins, with what the topic retains, and end when it leaves", function()
    start()
    emit("1", "old")
    assert.equal("true nil", changed("join", "1"))
    assert.equal("old", said())
    emit("1", "a")
    emit("2", "b")
    assert.equal("true nil", changed("join", "1"))
    assert.equal("true nil", changed("leave", "1"))
    assert.equal("false nil", changed("leave", "1"))
    emit("1", "c")
    assert.equal("old a", said())
    assert.equal("", told())
  end)

  it("are what subscribe grants, as for those who ask on their way in", function()
    start "function(sub, params, req) return sub.user == 'ann' and params.n ~= '2' and req.path == '/events' end"
    assert.equal("true nil", changed("subscribe", "1"))
    assert.equal("nil forbidden", changed("subscribe", "2"))
    emit("1", "a")
    emit("2", "b")
    assert.equal("a", said())
  end)

  it("are not what a failing subscribe does not know", function()
    start "function() error 'who knows' end"
    assert.equal("nil unknown", changed("subscribe", "1"))
    emit("1", "a")
    assert.equal("", said())
    assert.matches("who knows", (world:log()))
  end)

  it("are not what nobody may ask for, and nothing that is not declared", function()
    start "nil"
    assert.equal("nil forbidden", changed("subscribe", "1"))
    assert.equal("nil forbidden", changed("subscribe", "nowhere"))
    assert.equal("nil unknown", changed("join", "nowhere"))
  end)

  it("begin when a subscribe that waits says yes", function()
    start "function() return http.get('http://app.test/may').status == 200 end"
    local held = world:hold "GET /may"
    local answer = change("subscribe", "1")
    emit("1", "before")
    assert.equal("", said())
    held:answer { status = 200 }
    assert.equal("true nil", answer:result().body)
    emit("1", "after")
    assert.equal("before after", said()) -- the first one retained
  end)

  it("are bounded, with those that are being asked about", function()
    start "function(sub, params) return params.n ~= '3' or http.get('http://app.test/may').status == 200 end"
    assert.equal("true nil", changed("join", "1"))
    assert.equal("true nil", changed("subscribe", "2"))
    local held = world:hold "GET /may"
    local third = change("subscribe", "3")
    assert.equal("nil full", changed("join", "4"))
    assert.equal("nil full", changed("subscribe", "4"))
    held:answer { status = 404 }
    assert.equal("nil forbidden", third:result().body)
    assert.equal("true nil", changed("join", "4"))
  end)

  it("are of nobody when the stream has ended, also where a subscribe waits", function()
    start "function() return http.get('http://app.test/may').status == 200 end"
    world:request("POST", "/keep")
    world:hold "GET /may"
    local answer = change("subscribe", "1")
    tab:close()
    assert.equal("nil closed", answer:result().body)
    for _, what in ipairs { "join", "subscribe", "leave" } do
      assert.equal("nil closed", world:request("POST", "/gone/" .. what).body)
    end
  end)

  it("stay through reloads: given ones as long as they are declared", function()
    start()
    changed("join", "1")
    reload "nil"
    assert.equal("", told())
    emit("1", "a")
    assert.equal("a", said())
    rules.reload(world, [[app:stream("events", { path = "/events",
      topics = function() return nil end }) app:topic "other"]])
    assert.matches("reload room:1", told())
    reload()
    emit("1", "b")
    assert.equal("a", said())
  end)

  it("stay through reloads: granted ones if the new rules grant them", function()
    start()
    changed("subscribe", "1")
    changed("subscribe", "2")
    reload "function(sub, params) return params.n == '2' end"
    assert.equal("reload room:1", told())
    emit("1", "a")
    emit("2", "b")
    assert.equal("b", said())
    reload()
    emit("1", "c")
    assert.equal("b", said()) -- what was refused is not asked about again
    reload "function() error 'who knows' end"
    assert.is_false(tab:is_open())
    assert.equal("reload", tab.why)
  end)

  it("stay through reloads: left ones stay left", function()
    start("nil", "function() return { 'room:1', 'room:2' } end")
    changed("leave", "1")
    reload("nil", "function() return { 'room:1', 'room:2', 'room:3' } end")
    emit("1", "a")
    emit("2", "b")
    emit("3", "c")
    assert.equal("b c", said())
    changed("join", "1")
    changed("leave", "1")
    reload("nil", "function() return { 'room:1', 'room:2', 'room:3' } end")
    emit("1", "d")
    assert.equal("b c a", said()) -- the last one retained
  end)

  it("are asked of the new rules where a reload came in between", function()
    start "function() return http.get('http://app.test/old').status == 200 end"
    local old = world:hold "GET /old"
    local answer = change("subscribe", "1")
    reload "function() return http.get('http://app.test/new').status == 200 end"
    local new = world:hold "GET /new"
    old:answer { status = 200 }
    emit("1", "a")
    assert.equal("", said())
    new:answer { status = 403 }
    assert.equal("nil forbidden", answer:result().body)
    assert.equal("", said())
  end)

  it("hold against a review that is under way", function()
    start("nil", "function() return { 'room:1', 'room:2' } end")
    local held = world:hold "GET /topics"
    reload("nil", "function() http.get 'http://app.test/topics' return { 'room:1', 'room:2' } end")
    changed("leave", "1")
    changed("join", "3")
    held:answer { status = 200 }
    world:reply("GET /topics", { status = 200 })
    world:advance(1)
    emit("1", "a")
    emit("3", "c")
    assert.equal("c", said())
  end)

  it("lose none to a review that asks about others when one is left", function()
    start()
    changed("subscribe", "1")
    changed("subscribe", "2")
    local held = world:hold "GET /may"
    reload "function() return http.get('http://app.test/may').status == 200 end"
    changed("leave", "1")
    held:answer { status = 200 }
    world:reply("GET /may", { status = 200 })
    world:advance(1)
    emit("2", "b")
    assert.equal("b", said())
    assert.equal("", told())
  end)

  it("end with the connection: who comes back has what the stream's rules name", function()
    start()
    changed("join", "1")
    tab:cut()
    emit("1", "a")
    local back = tab:reconnect()
    assert.equal("", said(back))
  end)

  it("are asked about also where a spec said which ones it begins with", function()
    world = rules.load(text "function(sub, params) return params.n ~= '2' end")
    tab = world:connect("/events", { as = { user = "ann", topics = { "room:5" } } })
    assert.equal("true nil", changed("subscribe", "1"))
    assert.equal("nil forbidden", changed("subscribe", "2"))
    emit("5", "a")
    emit("1", "b")
    assert.equal("a b", said())
  end)

  it("can be changed by what acts, and by nothing else", function()
    start("function(sub) sub:join 'room:2' return true end", nil,
      [[app:stream('own', { path = '/own', topics = function() return mine 'x' end,
        connect = function(sub) sub:join(room '7') end })]])
    assert.equal("nil unknown", changed("subscribe", "1"))
    assert.matches("sub:join cannot be called in a topic's subscribe", (world:log()))
    local own = world:connect "/own"
    emit("7", "here")
    assert.equal("here", said(own))
  end)

  it("are named by a handle or a name", function()
    start(nil, nil, "app:route('bad', 'POST /bad', { run = function() app:subscribers()[1]:join(5) end })")
    assert.equal(500, world:request("POST", "/bad").status)
    assert.matches("sub:join: expected a topic, a handle or its name, not number", (world:log()))
  end)
end)
