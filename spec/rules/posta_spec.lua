-- The chat multiplexer: rules/posta.lua.

local rig = require "sluice.rig"

local BOB = "https://posta.no/@bob"

describe("posta", function()
  local world

  before_each(function()
    world = rig.load "rules/posta.lua"
    world:reply("GET /api/v1/session", { json = { user = "ann", token = "t" } })
  end)

  after_each(function() world:close() end)

  local function thread(peer)
    return "/threads/" .. peer:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end) .. "/open"
  end

  local function open(tab, peer, row) return tab:post(thread(peer), { json = { rowId = row } }) end

  local function inbound(row, peer, user)
    world:upstream("inbox", user or "ann"):send("inbound", { peer = peer or BOB, rowId = row })
  end

  local function rows()
    local list = {}
    for _, made in ipairs(world:requests "POST /api/v1/contacts/read") do list[#list + 1] = made.json.rowId end
    return list
  end

  it("triggers once the watermark is answered, not before", function()
    local tab  = world:connect "/events"
    local post = world:hold "POST /api/v1/contacts/read"
    tab:post("/threads/bob/open", { json = { rowId = 6 } })
    post:answer { status = 204 }
    world:upstream("inbox", "ann"):send("inbound", { peer = "bob", rowId = 7 })
    assert.same({}, tab:types())
    post:answer { status = 204 }
    assert.same({ "thread-updated" }, tab:types())
    world:advance(0.05)
    assert.same({ "thread-updated", "contact-changed" }, tab:types())
  end)

  it("keeps the link for the grace period", function()
    local tab = world:connect "/events"
    tab:close()
    world:advance(9.9);  assert.is_true(world:upstream("inbox", "ann").open)
    world:advance(0.2);  assert.is_false(world:upstream("inbox", "ann").open)
  end)

  it("asks who it is with the browser's cookie, and opens the stream with the token", function()
    local tab = world:connect("/events", { cookie = "posta=ann" })
    assert.equal("posta=ann", world:requests("GET /api/v1/session")[1].headers.cookie)
    assert.equal("Bearer t", world:upstream("inbox", "ann").headers.authorization)
    assert.equal(200, tab.status)
  end)

  it("refuses whom the server does not know, and says don't know while it is away", function()
    world:reply("GET /api/v1/session", { status = 401 })
    assert.equal(401, world:connect("/events").status)
    world:fail("GET /api/v1/session", "refused")
    assert.equal(503, world:connect("/events").status)
    world:reply("GET /api/v1/session", { status = 500 })
    assert.equal(503, world:connect("/events").status)
  end)

  describe("a reload", function()
    local function reload() world:reload "rules/posta.lua" end

    before_each(function() world:reply("POST /api/v1/contacts/read", { status = 204 }) end)

    it("keeps threads open", function()
      local tab = world:connect "/events"
      open(tab, BOB, 1)
      reload()
      inbound(2)
      assert.same({ 1, 2 }, rows())
    end)

    it("posts a row again whose answer it did not wait for, and the triggers go out in time", function()
      local tab  = world:connect "/events"
      local post = world:hold "POST /api/v1/contacts/read"
      open(tab, BOB, 6)
      inbound(7)
      reload()
      assert.same({ 6, 7 }, rows())
      world:advance(0.5)
      assert.same({ "thread-updated" }, tab:types())
      post:answer { status = 204 }
      assert.same({ 6, 7 }, rows())
    end)

    it("goes on repeating what fails", function()
      local tab = world:connect "/events"
      world:reply("POST /api/v1/contacts/read", { status = 500 })
      open(tab, BOB, 6)
      reload()
      world:reply("POST /api/v1/contacts/read", { status = 204 })
      world:advance(3)
      local posted = rows()
      assert.same({ 6, 6 }, { posted[1], posted[#posted] })
      world:advance(60)
      assert.equal(#posted, #rows())
    end)

    it("posts what the earlier rules raised while they ended", function()
      local tab     = world:connect "/events"
      local session = world:hold "GET /api/v1/session"
      local opening = open(tab, BOB, 6)
      reload()
      assert.equal(2, world:counters().vms)
      session:answer { status = 200, json = { user = "ann", token = "t" } }
      assert.equal(204, opening:result().status)
      assert.equal(1, world:counters().vms)
      assert.same({ 6 }, rows())
    end)

    it("posts the highest row of what both rules raised", function()
      local tab     = world:connect "/events"
      local session = world:hold "GET /api/v1/session"
      local post    = world:hold "POST /api/v1/contacts/read"
      open(tab, BOB, 9)
      reload()
      world:reply("GET /api/v1/session", { json = { user = "ann", token = "t" } })
      open(tab, BOB, 6)
      session:answer { status = 200, json = { user = "ann", token = "t" } }
      assert.same({ 6 }, rows())
      post:answer { status = 204 }
      assert.same({ 6, 9 }, rows())
      post:answer { status = 204 }
      assert.same({ 6, 9 }, rows())
    end)
  end)

  describe("the read watermark", function()
    it("is not posted while the thread is closed", function()
      local tab = world:connect "/events"
      inbound(7)
      assert.same({ "thread-updated" }, tab:types())
      assert.same({}, rows())
    end)

    it("is posted on opening, with the peer and the token", function()
      world:reply("POST /api/v1/contacts/read", { status = 204 })
      open(world:connect "/events", BOB, 6)
      local made = world:requests "POST /api/v1/contacts/read"
      assert.equal(1, #made)
      assert.same({ peer = BOB, rowId = 6 }, made[1].json)
      assert.equal("Bearer t", made[1].headers.authorization)
    end)

    it("delays a trigger by at most half a second", function()
      local tab = world:connect "/events"
      world:hold "POST /api/v1/contacts/read"
      open(tab, BOB, 6)
      inbound(7)
      world:advance(0.49)
      assert.same({}, tab:types())
      world:advance(0.02)
      assert.same({ "thread-updated" }, tab:types())
    end)

    it("lets the triggers go when the post fails, and repeats it with the highest row only", function()
      local tab = world:connect "/events"
      world:reply("POST /api/v1/contacts/read", { status = 500 })
      open(tab, BOB, 6)
      for row = 7, 9 do inbound(row) end
      assert.same({ "thread-updated", "thread-updated", "thread-updated" }, tab:types())
      assert.same({ 6 }, rows())
      world:reply("POST /api/v1/contacts/read", { status = 204 })
      world:advance(2)
      assert.same({ 6, 9 }, rows())
      world:advance(60)
      assert.same({ 6, 9 }, rows())
    end)

    it("backs off between repetitions, up to half a minute and a half", function()
      world:reply("POST /api/v1/contacts/read", { status = 500 })
      open(world:connect "/events", BOB, 6)
      world:advance(20)
      local soon = #rows()
      assert.is_true(soon >= 3 and soon <= 12)
      world:advance(300)
      local later = #rows() - soon
      assert.is_true(later >= 5 and later <= 60)
    end)

    it("posts one row at a time, and of those that came meanwhile only the highest", function()
      local tab  = world:connect "/events"
      local post = world:hold "POST /api/v1/contacts/read"
      open(tab, BOB, 1)
      for row = 2, 5 do
        inbound(row)
        world:advance(0.6)
      end
      assert.same({ 1 }, rows())
      post:answer { status = 204 }
      assert.same({ 1, 5 }, rows())
      post:answer { status = 204 }
      assert.same({ 1, 5 }, rows())
    end)

    it("never falls: neither reordered nor repeated events post anything", function()
      local tab = world:connect "/events"
      world:reply("POST /api/v1/contacts/read", { status = 204 })
      open(tab, BOB, 9)
      for _, row in ipairs { 8, 9, 3, 10, 10, 9 } do inbound(row) end
      open(tab, BOB, 4)
      assert.same({ 9, 10 }, rows())
      assert.equal(6, #tab:types())
    end)

    it("keeps peers apart, whatever their names are", function()
      world:reply("POST /api/v1/contacts/read", { status = 204 })
      local tab = world:connect "/events"
      local odd = "a/b?c=d&e:12:%41 \"\\é"
      open(tab, odd, 1)
      inbound(2, BOB)
      inbound(3, odd)
      local made = world:requests "POST /api/v1/contacts/read"
      assert.same({ 1, 3 }, rows())
      assert.equal(odd, made[2].json.peer)
      assert.equal(odd, tab:events()[3].data)
    end)

    it("is another user's own affair", function()
      world:reply("POST /api/v1/contacts/read", { status = 204 })
      open(world:connect "/events", BOB, 1)
      world:reply("GET /api/v1/session", { json = { user = "eve", token = "e" } })
      world:connect "/events"
      inbound(5, BOB, "eve")
      assert.same({ 1 }, rows())
    end)
  end)

  describe("an open thread", function()
    before_each(function() world:reply("POST /api/v1/contacts/read", { status = 204 }) end)

    it("is closed by opening another in the same tab", function()
      local tab = world:connect "/events"
      open(tab, BOB, 1)
      open(tab, "cleo", 1)
      inbound(2, BOB)
      inbound(3, "cleo")
      assert.same({ 1, 1, 3 }, rows())
    end)

    it("stays open while another tab shows it", function()
      local one, two = world:connect "/events", world:connect "/events"
      open(one, BOB, 1)
      open(two, BOB, 1)
      open(one, "cleo", 1)
      inbound(2)
      two:delete(thread(BOB))
      inbound(3)
      assert.same({ 1, 1, 2 }, rows())
    end)

    it("is closed by the end of its tab", function()
      local one, two = world:connect "/events", world:connect "/events"
      open(one, BOB, 1)
      one:close()
      inbound(2)
      assert.same({ 1 }, rows())
      assert.same({ "thread-updated" }, two:types())
    end)

    it("is not closed by what another tab closes", function()
      local one, two = world:connect "/events", world:connect "/events"
      open(one, BOB, 1)
      two:delete(thread(BOB))
      one:delete(thread "cleo")
      inbound(2)
      assert.same({ 1, 2 }, rows())
    end)

    it("counts for half a minute in a tab that has no stream", function()
      local tab = world:connect "/events"
      world:request("POST", thread(BOB), { tag = "a-tab-without-stream", json = { rowId = 1 } })
      world:advance(29)
      inbound(2)
      world:advance(2)
      inbound(3)
      assert.same({ 1, 2 }, rows())
      assert.equal(2, #tab:types() - 1)
    end)

    it("stays open once such a tab has got its stream", function()
      world:connect "/events"
      world:request("POST", thread(BOB), { tag = "a-tab-to-come-here", json = { rowId = 1 } })
      world:advance(20)
      world:connect("/events", { tag = "a-tab-to-come-here" })
      world:advance(60)
      inbound(2)
      assert.same({ 1, 2 }, rows())
    end)
  end)

  it("tells both tabs of an outbound state but the one that caused it", function()
    local one, two = world:connect "/events", world:connect "/events"
    world:upstream("inbox", "ann"):send("outbound-state", { peer = BOB, rowId = 3, session_tag = one.tag })
    assert.same({}, one:types())
    assert.same({ "thread-updated" }, two:types())
    world:advance(0.1)
    assert.same({ "contact-changed" }, one:types())
  end)

  it("joins changes of one contact within a twentieth of a second", function()
    local tab = world:connect "/events"
    for row = 1, 3 do inbound(row) end
    inbound(4, "cleo")
    world:advance(0.1)
    assert.same({ "thread-updated", "thread-updated", "thread-updated", "thread-updated",
                  "contact-changed", "contact-changed" }, tab:types())
  end)

  it("passes a resync and another device's watermark on", function()
    local tab = world:connect "/events"
    world:upstream("inbox", "ann"):send("read-watermark-changed", { peer = BOB })
    world:upstream("inbox", "ann"):send("resync", {})
    assert.same({ "contact-changed", "resync" }, tab:types())
  end)

  it("answers a body that is no JSON with 400", function()
    local tab = world:connect "/events"
    local answer = tab:post(thread(BOB), { body = "{" })
    assert.equal(400, answer.status)
    assert.equal("bad_json", answer.json.error.code)
  end)
end)
