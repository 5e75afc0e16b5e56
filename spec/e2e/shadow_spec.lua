-- New rules in the shadow of the running ones, over the command line: begin, look, let take over, or forget.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local sse      = require "spec.support.sse"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local NOTHING = "sluice: Nothing is shadowed; sluice reload --shadow, or POST /shadow, begins.\n"

-- An app that emits triggers of this type.
local function rules(type, more)
  return ([[
local sluice = require "sluice"
local app = sluice.app "news"
local all = app:topic("all", { subscribe = false, history = { size = 256, ttl = 60 } })
local feed = app:upstream("feed", { key = function() return "all" end,
  request = function() return { url = sluice.env "UPSTREAM" } end })
feed:on("note", function(ev) all():emit("TYPE", ev.data) end)
app:stream("events", { path = "/events", upstreams = { feed }, topics = function() return all() end })
]] .. (more or "")):gsub("TYPE", type)
end

describe("sluice reload --shadow", function()
  local server, source, link, tab

  local function reload(option) return { e2e.run { "reload", "--admin", server.admin, option } } end
  local function write(text) e2e.write(server.folder .. "/rules/app.lua", text) end

  before_each(function()
    source = upstream.open()
    server = e2e.server { rules = (rules "old"), env = { UPSTREAM = source.url }, errors = "not reloaded" }
    tab = sse.open(server.address, { path = "/events" })
    tab:next "ready"
    link = source:next()
    tab:next "resync"
  end)

  it("compares, promotes what was compared, and nothing else", function()
    assert.same({ 1, NOTHING }, reload "--differences")
    assert.same({ 1, NOTHING }, reload "--promote")
    write((rules "new"))
    assert.same({ 0, "shadowing 1 apps\n" }, reload "--shadow")
    assert.equal(2, server:metric "sluice_rule_vms")
    link:send("note", "1")
    assert.equal("1", tab:next("old").data)
    link:send("other", "2")
    wait.wait_until(function() return http.get(server.admin, "/shadow").json().apps[1].events == 2 end)
    local code, report = unpack(reload "--differences")
    assert.equal(0, code)
    assert.equal("app news: 2 events in both, 1 of them different, 0 failed in the shadow, 0 skipped\n\n"
      .. "  feed all: note\n    - all old 1\n    + all new 1\n", report)
    write((rules("new", "-- changed since\n")))
    code, report = unpack(reload "--promote")
    assert.equal(1, code)
    assert.matches("/rules/app%.lua: is not what was shadowed: .-shadow it again\n$", report)
    write((rules "new"))
    assert.equal(0, (unpack(reload "--promote")))
    link:send("note", "3")
    assert.equal("3", tab:next("new").data)
    assert.equal(1, server:metric "sluice_rule_vms")
    assert.equal(2, server:ready().generation)
    assert.same({ 1, NOTHING }, reload "--drop")
  end)

  it("forgets, and refuses what a reload would refuse", function()
    write "this is no Lua"
    local code, said = unpack(reload "--shadow")
    assert.equal(1, code)
    assert.matches("/rules/app%.lua:1: ", said)
    write((rules("new"):gsub('sluice.app "news"', 'sluice.app "other"'):gsub('"/events"', '"/other"')))
    code, said = unpack(reload "--shadow")
    assert.equal(1, code)
    assert.matches('^no file declares an app that runs here .there is: "news".: nothing to shadow', said)
    assert.same({ 1, NOTHING }, reload "--drop")
    write((rules "new"))
    assert.equal(0, (unpack(reload "--shadow")))
    code, said = unpack(reload "--drop")
    assert.same({ 0, "app news: 0 events in both, 0 of them different, 0 failed in the shadow, 0 skipped\n" },
      { code, said })
    link:send("note", "1")
    tab:next "old"
    assert.same({ 2, "sluice reload: one of --shadow, --differences, --drop and --promote at a time\n" },
      { e2e.run { "reload", "--admin", server.admin, "--drop", "--shadow" } })
    assert.equal(403, http.post(server.admin, "/shadow").status)
    assert.equal(405, http.request(server.admin, { method = "PUT", path = "/shadow" }).status)
    assert.equal(0, (unpack(reload "--shadow"))) -- and the server ends well with one
  end)
end)
