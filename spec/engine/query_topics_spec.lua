-- `?topic=`: the topics that a client asks for on its way in.

local rules = require "spec.support.rules"

local RULES = [[
  local cell = app:topic("cell:{sheet}/{row}.{column}", { subscribe = function(sub, params)
    return params.row ~= "0" and params.sheet .. "|" .. params.row .. "|" .. params.column ~= "a|1|1"
  end })
  app:topic("own", { subscribe = function() error "not asked about" end })
  app:topic("shut", { subscribe = false })
  app:topic "silent"
  app:topic("broken", { subscribe = function() error "who knows" end })
  app:stream("events", { path = "/events", topics_max = 3, topics = function(req)
    return req.query.own and "own" or nil
  end })
  app:stream("many", { path = "/many", topics_max = 2, topics = function() return { "own", "shut", "silent" } end })
  app:route("emit", "POST /emit", { run = function(req)
    cell(req.query.sheet, req.query.row, req.query.column):emit("set", "")
    return 204
  end })
  app:route("topics", "GET /topics", { run = function()
    return { json = app:subscribers()[1].topics }
  end })]]

describe("?topic=", function()
  local world

  before_each(function() world = rules.load(RULES) end)
  after_each(function() world:close() end)

  local function connect(query) return world:connect("/events" .. query) end
  local function topics() return world:request("GET", "/topics").json end

  it("may be given several times, each once, beside what the rules give", function()
    connect "?own=1&topic=cell:a/1.2&topic=cell:a/1.3&topic=cell:a/1.2&topic=own"
    assert.same({ "own", "cell:a/1.2", "cell:a/1.3" }, topics())
  end)

  it("is matched whole, its parameters decoded", function()
    local tab = world:connect("/events", { query = { topic = "cell:a%2Fb/%C3%A9.x%20y" } })
    assert.same({ "cell:a%2Fb/%C3%A9.x%20y" }, topics())
    world:request("POST", "/emit?sheet=a%2Fb&row=%C3%A9&column=x%20y")
    assert.same({ "set" }, tab:types())
  end)

  it("is refused whole where one is not granted", function()
    for _, name in ipairs {
      "cell:a/0.1", "cell:a/1.1", "shut", "silent", "none", "cell:a/1", "", "cell:a%2fb/1.2",
      "cell:%61/1.2",
    } do
      local tab = world:connect("/events", { query = { topic = { "cell:a/1.2", name } } })
      assert.equal(403, tab.status, name)
    end
    assert.equal(503, connect "?topic=broken".status)
    world:log()
  end)

  it("is refused where it is too many; too many of the rules' own are their mistake", function()
    assert.equal(200, connect "?topic=cell:a/1.2&topic=cell:a/1.3&topic=cell:a/1.4".status)
    local four = connect "?topic=cell:a/1.2&topic=cell:a/1.3&topic=cell:a/1.4&topic=cell:a/1.5"
    assert.equal(403, four.status)
    assert.equal(503, world:connect "/many".status)
    assert.matches("too many topics.-topics_max=2", (world:log()))
  end)

  it("may be left out: a stream without a topic lives, and can be given some later", function()
    local tab = connect ""
    assert.equal(200, tab.status)
    assert.same({}, topics())
    assert.same({}, tab:types())
  end)
end)
