-- What is published is checked by field: sluice.fields, and what refuses: sluice.refuse.

local rules = require "spec.support.rules"

local RULES = [[
local fields = require "sluice.fields"
local all    = app:topic("all", { subscribe = false })
app:stream("events", { path = "/events", topics = function() return all() end })
local ingest = app:ingest("publish", { path = "/publish", authorize = sluice.bearer "key" })
local kinds  = { text = "text", name = "name", number = "number", count = "count", boolean = "boolean",
                 names = "names", any = "any", optional = "text?", either = "count|name?" }
for name, kind in pairs(kinds) do
  local shape = fields.new { [name] = kind }
  ingest:on(name, function(ev) all():emit("checked", shape:of(ev)) end)
end
ingest:on("refused", function(ev)
  all():emit("never", "")
  local said = ev:json()
  sluice.refuse(said.status, said.code, said.sentence)
end)
app:route("gone", "GET /gone", { run = function() return sluice.refuse(410, "gone", "It is gone.") end })
app:route("caught", "GET /caught", { run = function()
  local good, why = pcall(sluice.refuse, 410, "gone", "It is gone.")
  return 200, tostring(good) .. " " .. tostring(why)
end })
app:route("asked", "GET /asked", { run = function() return 204 end,
  identity = function() return sluice.refuse(403, "no", "No.") end })
]]

describe("what is published", function()
  local world

  before_each(function() world = rules.load(RULES) end)
  after_each(function()
    world:log()
    world:close()
  end)

  local function publish(type, data) return world:publish("/publish", { type = type, data = data }, { key = "key" }) end

  -- The statuses of publishes with each of these JSON values in the field of that name.
  local function statuses(kind, ...)
    local list = {}
    for i, value in ipairs { ... } do list[i] = publish(kind, ('{"%s":%s}'):format(kind, value)).status end
    return list
  end

  it("has the fields that are named, of the kinds that are named", function()
    assert.same({ 200, 200, 422, 422 }, statuses("text", '""', '"a"', "1", "null"))
    assert.same({ 422, 200, 422, 422 }, statuses("name", '""', '"a"', "1", ('"%s"'):format(("a"):rep(4097))))
    assert.same({ 200, 422 }, statuses("number", "-1.5", '"1"'))
    assert.same({ 200, 200, 422, 422, 422, 422 }, statuses("count", "0", "7", "-1", "1.5", "1e300", '"7"'))
    assert.same({ 200, 422, 422 }, statuses("boolean", "false", "0", "null"))
    assert.same({ 200, 200, 422, 422, 422, 422, 422 },
      statuses("names", "[]", '["a","b"]', '["a",""]', '["a",1]', '{"a":"b"}', '["a",null]', '"a"'))
    assert.same({ 422 }, statuses("names", "[" .. ('"a",'):rep(1000) .. '"a"]'))
    assert.same({ 200, 200, 422 }, statuses("any", "{}", "false", "null"))
    assert.same({ 200, 200, 422 }, statuses("optional", "null", '"a"', "1"))
    assert.same({ 200, 200, 200, 422 }, statuses("either", "1", '"a"', "null", "true"))
  end)

  it("is an object", function()
    for _, text in ipairs { '["a"]', '"a"', "1", "null" } do assert.equal(422, publish("optional", text).status) end
    assert.equal(200, publish("optional", "{}").status)
    assert.equal(400, publish("optional", "no JSON").status)
  end)

  it("goes out without any other field", function()
    local tab = world:connect "/events"
    publish("name", { name = "a", secret = "b" })
    assert.equal('{"name":"a"}', tab:events()[2].data)
  end)

  it("is refused with what the rule says, and then nothing of it is published; no rule has failed", function()
    local tab    = world:connect "/events"
    local answer = publish("refused", { status = 503, code = "later", sentence = "Try again." })
    assert.same({ 503, "1", "application/json" },
      { answer.status, answer.headers["retry-after"], answer.headers["content-type"] })
    assert.same({ error = { code = "later", message = "Try again." } }, answer.json)
    answer = publish("refused", { status = 409, code = "newer", sentence = "" })
    assert.same({ 409, nil }, { answer.status, answer.headers["retry-after"] })
    assert.same({}, tab:types())
    assert.is_nil(world:log():find("rule failed", 1, true))
  end)

  it("is not kept as answered when it was refused", function()
    local event = { type = "refused", id = "one", data = { status = 503, code = "later", sentence = "" } }
    for _ = 1, 2 do assert.is_nil(world:publish("/publish", event, { key = "key" }).json.duplicate) end
  end)

  it("is refused with a status, a code and a sentence, or the rule has failed", function()
    for _, said in ipairs { { status = 200, code = "a", sentence = "" }, { status = 422, code = "A b", sentence = "" },
      { status = 422, code = "a" } } do
      assert.equal(500, publish("refused", said).status)
    end
    assert.truthy(world:log():find("sluice.refuse: expected a status from 400 to 599, got 200", 1, true))
  end)

  it("or asked for is refused in routes as well; elsewhere that is an error, which is no answer", function()
    assert.same({ error = { code = "gone", message = "It is gone." } }, world:request("GET", "/gone").json)
    assert.equal("false It is gone.", world:request("GET", "/caught").body)
    assert.equal(503, world:request("GET", "/asked").status)
  end)
end)
