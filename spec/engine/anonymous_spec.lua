-- Who is let in as nobody, and what makes no sense whoever asks for it; and by which parameters a stream is asked.

local rules = require "spec.support.rules"

local RULES = [[
  local visitor = sluice.identity(function(req)
    if req.query.how == "bad" then return nil, "bad_request" end
    if req.query.how == "odd" then return nil, "bad" end
    return { user = false, data = { page = req.query.page } }
  end)
  local news = app:topic("news", { id = "publisher", history = { size = 8, ttl = 60 },
    subscribe = function() return true end })
  app:topic("more", { subscribe = function() return true end })
  local function about(sub) return tostring(sub.user) .. " " .. sub.data.page end
  app:stream("news", { path = "/news", identity = visitor, per_user = 1, ready = "header",
    query   = { topic = false, last_event_id = { "lastEventID", "Last-Event-ID" } },
    topics  = function() return news() end,
    connect = function(sub) news():emit("came", about(sub)) end })
  app:stream("wants", { path = "/wants", identity = visitor, query = { topic = { "want", "topic" } } })
  app:route("me", "GET /me", { identity = visitor, rate = { rate = 1, per = "user" }, run = function(req)
    return 200, tostring(req.user) .. " " .. req.data.page
  end })
  app:ingest("open", { path = "/open", authorize = visitor }):on("*", function() end)
  app:route("emit", "POST /emit/{id}", { run = function(req, params)
    news():emit("saved", "", { id = params.id })
    return 204
  end })
  app:route("who", "GET /who", { run = function()
    local topics = {}
    for i, sub in ipairs(app:subscribers()) do topics[i] = table.concat(sub.topics, " ") end
    return { json = { #app:users(), app:count(), topics } }
  end })]]

describe("an identity", function()
  local world

  before_each(function() world = rules.load(RULES) end)
  after_each(function() world:close() end)

  it("that names nobody lets in with data, and as no user at all", function()
    local one = world:connect "/news?page=a"
    local two = world:connect "/news?page=b" -- per_user is about users
    assert.same({ 200, 200 }, { one.status, two.status })
    assert.equal("nil b", two:events()[1].data)
    assert.same({ 0, 2, { "news", "news" } }, world:request("GET", "/who").json)
    for _ = 1, 3 do assert.equal("nil a", world:request("GET", "/me?page=a").body) end
  end)

  it("keeps that data over a reload", function()
    local tab = world:connect "/news?page=a"
    rules.reload(world, RULES)
    world:request("POST", "/emit/one")
    assert.same({ "came", "saved" }, tab:types())
  end)

  it("that names nobody is no publisher, for that would be an app", function()
    assert.equal(503, world:publish("/open", { type = "t" }).status)
    assert.truthy(world:log():find("a publisher must have a user", 1, true))
  end)

  it("can say that the request makes no sense: 400, on streams, their heads and routes", function()
    for _, ask in ipairs { { "GET", "/news" }, { "HEAD", "/news" }, { "GET", "/me" } } do
      local answer = world:request(ask[1], ask[2] .. "?how=bad")
      assert.equal(400, answer.status)
      if ask[1] == "GET" then assert.equal("bad_request", answer.json.error.code) end
    end
    assert.equal(503, world:connect("/news?how=odd").status)
  end)
end)

describe("a stream's query", function()
  local world

  before_each(function() world = rules.load(RULES) end)
  after_each(function() world:close() end)

  it("asks for no topics where it has no parameter for them", function()
    local tab = world:connect "/news?page=a&topic=more&topic=nothing"
    assert.equal(200, tab.status)
    assert.same({ { "news" } }, { world:request("GET", "/who").json[3] })
  end)

  it("asks by the names that are declared", function()
    assert.equal(200, world:connect("/wants?want=more&topic=news&wanted=no&want").status)
    assert.same({ "more news" }, world:request("GET", "/who").json[3])
    assert.equal(403, world:connect("/wants?topic=nothing").status)
  end)

  it("says the last event id by the first name that has a value; a header wins", function()
    for _, id in ipairs { "one", "two", "three" } do world:request("POST", "/emit/" .. id) end
    local function first(query, header)
      local tab = world:connect("/news?page=a&" .. query, { headers = { ["last-event-id"] = header } })
      local place = tab.headers["last-event-id"]
      tab:close()
      return place
    end
    assert.equal("two", first "lastEventID=two")
    assert.equal("one", first "Last-Event-ID=one")
    assert.equal("two", first "Last-Event-ID=one&lastEventID=two")
    assert.equal("one", first "lastEventID=&Last-Event-ID=one")
    assert.equal("three", first("lastEventID=two", "three"))
    assert.is_nil(first "last_event_id=two")
  end)
end)
