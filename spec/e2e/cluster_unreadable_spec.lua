-- A trigger on the bus that a node cannot read: those who have its topic are told to re-read, and so is who comes back
-- from before it; the node goes on.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local json         = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"

local RULES = [[
local sluice = require "sluice"
local app  = sluice.app "demo"
local room = app:topic("room:{id}", { subscribe = false, history = { size = 100, ttl = 60 } })
app:stream("s", { path = "/s", topics = function(req) return { room(req.query.id) } end })
app:ingest("in", { path = "/publish", authorize = false }):on("say", function(ev)
  local said = ev:json()
  room(said.id):emit("said", said.text)
end)
app:route("cursor", "GET /cursor", { run = function() return { body = app:cursor() } end })
]]

local STRANGE = "what nobody can read"

local function file(name)
  local handle = assert(io.open("core/cluster/" .. name .. ".lua"))
  local text = handle:read "*a"
  handle:close()
  return text
end

describe("what a node cannot read", function()
  local redis, node

  before_each(function()
    redis = redis_server.start()
    local cluster = clusters.start { nodes = 1, rules = RULES, servers = { redis },
                                     errors = "a trigger of another node cannot be read" }
    cluster:wait_ready()
    node = cluster.nodes[1]
  end)

  local function epoch() return redis:cli("HGET", "sluice:epoch", "id") end

  -- As another node does it: { room, parcel }, ... in one step.
  local function put(...)
    local words = { "EVAL", file "epoch" .. file "publish", 1, "sluice", epoch(), "", "", "", "", "", 0, "" }
    for _, each in ipairs { ... } do
      for _, word in ipairs { "demo:room:" .. each[1], each[2], 100, 60000, "" } do words[#words + 1] = word end
    end
    redis:cli(unpack(words))
  end
  local function say(id, text)
    local event = { type = "say", data = { id = id, text = text } }
    assert.equal(200, http.post(node.address, "/publish", { json = event }).status)
  end
  -- The parcel of the room's newest.
  local function parcel_of(id)
    local entry = redis:cli("XREVRANGE", "sluice:stream:" .. epoch() .. ":demo:room:" .. id, "+", "-", "COUNT", 1)
    return entry:match "\nd\n(.*)$"
  end
  local function follow(id, cursor)
    local stream = sse.open(node.address, { path = "/s?id=" .. id, last_event_id = cursor })
    return stream, stream:next("ready", 5)
  end

  local function expect_history(stream)
    assert.equal("history", json.decode(stream:next("resync", 5).data).reason)
  end

  it("is missed by those who have its topic, and by who comes back from before it", function()
    local stream = follow "a"
    local gone, before = follow "a"
    gone:close()
    put { "a", STRANGE }
    expect_history(stream)
    expect_history((follow("a", before.id)))
    say("a", "later")
    local later = stream:next("said", 5)
    assert.equal("later", later.data)
    local other = follow("a", later.id)
    say("a", "last")
    assert.equal("last", other:next("said", 5).data)
    assert.same({}, other:data "resync")
  end)

  it("is no reason not to load what came in front of it", function()
    say("c", "first")
    local parcel = parcel_of "c"
    local stream = follow "a"
    put({ "c", parcel }, { "a", STRANGE })
    expect_history(stream)
    local late = follow "c"
    say("c", "second")
    assert.equal("second", late:next("said", 5).data)
  end)

  it("is missed among what is loaded", function()
    local cursor = http.get(node.address, "/cursor").body
    say("d", "one")
    local parcel = parcel_of "d"
    put({ "d", STRANGE }, { "d", parcel })
    local behind = follow("d", cursor)
    expect_history(behind)
    assert.same({}, behind:data "said")
  end)
end)
