-- What a reload finds waiting, or half done, is nobody's by accident: not by rules that let it through, and
-- not by rules that say nothing of it any more.

local rules = require "spec.support.rules"

-- version, stream, topic (a name), filter, replaces, within, frames, joins.
local function text(parts)
  local topic = parts.topic or "news"
  return ([[
    local http = require "sluice.http"
    local VERSION = "%s"
    local all = app:topic("%s", { history = { size = 8, ttl = 300 }, filter = %s })
    local feed = app:upstream("feed", { key = function() return "all" end,
      request = function() return { url = "http://feed.test/events" } end })
    feed:on("note", function(ev) all():emit(VERSION, ev.data, { replaces = %s, within = %s }) end)
    app:stream("%s", { path = "/events", upstreams = { feed }, queue = { frames = %d },
      topics = function() return "%s" end })]])
    :format(parts.version or "one", topic, parts.filter or "nil", parts.replaces or "nil", parts.within or "nil",
      parts.stream or "events", parts.frames or 100, parts.joins or topic)
end

local ASKS  = "function() return http.get('http://app.test/may').status == 200 end"
local KNOWS_LATER = [[function()
  local status = http.get('http://app.test/may').status
  if status == 500 then error 'who knows' end
  return status == 200
end]]
local NEVER = "function() return false end"
local ASK_2 = "function(ev) return ev.data ~= '2' or http.get('http://app.test/may').status == 200 end"

describe("what waits when rules are reloaded", function()
  local world

  local function start(parts) world = rules.load(text(parts)) end
  local function reload(parts) rules.reload(world, text(parts)) end
  local function send(...)
    for _, data in ipairs { ... } do world:upstream("feed", "all"):send("note", data) end
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("is not let through where stream and topic are gone: nobody can say yes", function()
    start { filter = ASKS }
    world:hold "GET /may"
    local tab = world:connect "/events"
    send "1"
    reload { stream = "others", topic = "other" }
    assert.same({ {}, "reload" }, { tab:types(), tab.why })
  end)

  it("is not shown to those who come to a topic that a window keeps there undeclared", function()
    start { filter = NEVER, replaces = "'x'", within = 5 }
    world:connect "/events"
    send "1"
    reload { topic = "other", joins = "news" }
    local tab = world:connect "/events"
    world:advance(6)
    assert.equal(503, tab.status)
  end)

  it("is not sent before it is asked about, where there is less room now", function()
    start { filter = ASK_2, replaces = "ev.data" }
    world:hold "GET /may"
    local tab = world:connect "/events"
    send("2", "1", "1", "3")
    reload { filter = NEVER, frames = 1 }
    assert.same({ "resync" }, tab:types())
  end)

  it("is told of where the denied one had replaced another, also if that takes a while", function()
    start { replaces = "'x'" }
    local held = world:hold "GET /may"
    local tab = world:connect "/events"
    tab:stall()
    send("1", "2")
    reload { replaces = "'x'", filter = ASKS }
    tab:unstall()
    assert.same({}, tab:types())
    held:answer { status = 403 }
    assert.same({ "resync" }, tab:types())
  end)

  it("is not told of where the denied one had replaced nothing", function()
    start { replaces = "'x'", filter = ASKS }
    world:hold "GET /may"
    local tab = world:connect "/events"
    send "1"
    reload { replaces = "'x'", filter = NEVER }
    send "2"
    assert.same({}, tab:types())
  end)

  it("and was withheld before is asked about anew, not by the earlier rules", function()
    start { filter = KNOWS_LATER }
    world:reply("GET /may", { status = 500 })
    local tab = world:connect "/events"
    send "1"
    local held = world:hold "GET /may"
    world:advance(1.1)
    assert.equal(1, #held.waiting)
    reload { filter = "function() return true end" }
    for _ = 1, #held.waiting do held:answer { status = 403 } end
    world:advance(3)
    assert.same({ "resync" }, tab:types())
  end)
end)
