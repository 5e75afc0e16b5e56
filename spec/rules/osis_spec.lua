-- Participants' chat: rules/osis.lua.

local json     = require "cjson"
local pairs_of = require "spec.fixtures.token_keys"
local rig      = require "sluice.rig"
local rules    = require "spec.support.rules"

local KEY = "the key"
local NOW = 1700000000

-- A key as participants are named by it: the PEM without its frame.
local function text_of(pem) return (pem:gsub("%-%-%-%-%-[^\n]-%-%-%-%-%-", ""):gsub("%s", "")) end

local EC, RSA = text_of(pairs_of.ec_public), text_of(pairs_of.rsa_public)

-- Signs tokens, in an app beside.
local SIGN = [[
  local sluice, jwt = require "sluice", require "sluice.jwt"
  sluice.app("signer"):route("sign", "POST /sign", { run = function(req)
    local asked = req:json()
    return 200, jwt.sign(asked.claims, { alg = asked.alg, key = asked.key })
  end })
]]

describe("osis", function()
  local world, conversations

  local function start(env)
    env = env or {}
    env.PUBLISH_KEY = KEY
    conversations = { ["7"] = { participants = { "ann", "bob" }, context = "work" } }
    world = rules.with_file(SIGN, function(signer)
      return rig.load({ "rules/osis.lua", signer }, { env = env, wall = NOW })
    end)
    world:reply("GET /api/conversations/7", function(request)
      assert.equal("Bearer " .. KEY, request.headers.authorization)
      return conversations["7"] and { json = conversations["7"] } or { status = 404 }
    end)
  end

  before_each(function() start() end)
  after_each(function()
    world:log()
    world:close()
  end)

  local function connect(key, options)
    options = options or {}
    options.headers = { ["x-public-key"] = key, authorization = options.authorization }
    if options.trusted == nil then options.trusted = true end
    return world:connect("/" .. (options.search or ""), options)
  end

  local function publish(type, data) return world:publish("/publish", { type = type, data = data }, { key = KEY }) end
  local function say(text, more)
    local data = { conversation = "7", text = text }
    for name, value in pairs(more or {}) do data[name] = value end
    return publish("chatmessage.new", data)
  end
  local function lookups() return #world:requests "GET /api/conversations/7" end

  -- The data of what came to a tab behind `ready`; of other events than unnamed ones their names.
  local function came(tab)
    local list = {}
    for i = 2, #tab:events() do
      local event = tab:events()[i]
      list[i - 1] = event.type == "message" and json.decode(event.data) or event.type
    end
    return list
  end
  local function texts(tab)
    local list = came(tab)
    for i, item in ipairs(list) do list[i] = type(item) == "table" and (item.data.text or item.type) or item end
    return list
  end

  describe("on a trusted listener", function()
    it("is whom the header names, else the query", function()
      local ann   = connect "ann"
      local bob   = connect(nil, { search = "?public_key=bob" })
      local first = connect("ann", { search = "?public_key=eve" })
      assert.same({ 200, 200, 200 }, { ann.status, bob.status, first.status })
      say "hello"
      for _, tab in ipairs { ann, bob, first } do assert.same({ "hello" }, texts(tab)) end
    end)

    it("is nobody without a key, or with what is none", function()
      assert.equal(401, connect().status)
      assert.equal(401, connect(nil, { search = "?public_key=" }).status)
      assert.equal(401, connect(nil, { search = "?public_key=a%20b" }).status)
      assert.equal(401, connect(nil, { search = "?public_key=" .. ("a"):rep(1025) }).status)
    end)

    it("is nobody by two keys, of which somebody in front may have looked at the other", function()
      assert.equal(401, connect(nil, { search = "?public_key=ann&public_key=bob" }).status)
      assert.equal(401, connect(nil, { search = "?public_key=ann&public%5Fkey=bob" }).status)
      assert.equal(401, connect("ann, bob").status)
    end)

    it("cannot make the rule fail by what it asks for", function()
      assert.equal(200, connect("ann", { search = "?context=" .. ("%00"):rep(512) }).status)
      assert.equal(400, connect("ann", { search = "?context=" .. ("x"):rep(513) }).status)
      assert.equal(200, connect(("a"):rep(1000)).status)
      assert.equal(401, connect(("a"):rep(1001)).status)
      assert.equal(401, connect(("\195\169"):rep(200)).status)
      local lines, errors = world:log()
      assert.same({ "", 0 }, { lines, errors })
    end)
  end)

  describe("on another listener", function()
    local function signed(claims, alg, private)
      local asked = { claims = claims, alg = alg or "ES256", key = private or pairs_of.ec_private }
      local answer = world:request("POST", "/sign", { json = asked })
      assert.equal(200, answer.status)
      return answer.body
    end
    local function token(...) return "Bearer " .. signed(...) end
    local function status(key, authorization)
      return connect(key, { trusted = false, authorization = authorization }).status
    end

    it("is nobody by a name alone, however it is said", function()
      assert.equal(401, status "ann")
      assert.equal(401, status(EC))
      assert.equal(401, world:connect("/?public_key=" .. EC:gsub("%+", "%%2B"), { trusted = false }).status)
    end)

    it("is whose key has signed a token that names it and ends", function()
      assert.equal(200, status(EC, token { sub = EC, exp = NOW + 60 }))
      assert.equal(200, status(RSA, token({ sub = RSA, exp = NOW + 60 }, "RS256", pairs_of.rsa_private)))
      local url_safe = EC:gsub("+", "-"):gsub("/", "_"):gsub("=", "")
      assert.equal(200, status(url_safe, token { sub = url_safe, exp = NOW + 60 }))
      local search = "?token=" .. signed { sub = EC, exp = NOW + 60 }
      assert.equal(200, connect(EC, { trusted = false, search = search }).status)
    end)

    it("is nobody by a token that names another, or never ends, or has ended, or is for somebody else", function()
      assert.equal(401, status(EC, token { sub = RSA, exp = NOW + 60 }))
      assert.equal(401, status(EC, token { exp = NOW + 60 }))
      assert.equal(401, status(EC, token { sub = EC }))
      assert.equal(401, status(EC, token { sub = EC, exp = json.null }))
      assert.equal(401, status(EC, token { sub = EC, exp = NOW - 6 }))
      assert.equal(401, status(EC, token { sub = EC, exp = NOW + 60, aud = "another" }))
    end)

    it("is nobody by a token that another key has signed, or a key that is none", function()
      assert.equal(401, status(EC, token({ sub = EC, exp = NOW + 60 }, "RS256", pairs_of.rsa_private)))
      assert.equal(401, status(RSA, token { sub = RSA, exp = NOW + 60 }))
      assert.equal(401, status("ann", token { sub = "ann", exp = NOW + 60 }))
      assert.equal(401, status(EC, token({ sub = EC, exp = NOW + 60 }, "HS256", EC)))
      assert.equal(401, status(EC, "Bearer nonsense"))
    end)

    it("takes tokens for the audience that it is told, and no others", function()
      world:close()
      start { OSIS_AUDIENCE = "chat" }
      assert.equal(200, status(EC, token { sub = EC, exp = NOW + 60, aud = "chat" }))
      assert.equal(401, status(EC, token { sub = EC, exp = NOW + 60 }))
    end)

    it("lets a stream live as long as its token", function()
      local tab = connect(EC, { trusted = false, authorization = token { sub = EC, exp = NOW + 60 } })
      world:advance(55)
      assert.is_true(tab:is_open())
      world:advance(60)
      assert.is_false(tab:is_open())
      assert.equal("expired", tab:events()[#tab:events()].type)
    end)

    it("takes a token that ends when nobody lives any more", function()
      assert.equal(200, status(EC, token { sub = EC, exp = 9e11 }))
      assert.equal(200, status(EC, token { sub = EC, exp = 253402300799 }))
    end)
  end)

  describe("shows", function()
    it("both types, unnamed, as type and data", function()
      local ann = connect "ann"
      say("hello", { id = "m1" })
      publish("conversation.updated", { id = "7", title = "Lunch" })
      assert.same({
        { type = "chatmessage.new", data = { conversation = "7", text = "hello", id = "m1" } },
        { type = "conversation.updated", data = { id = "7", title = "Lunch" } },
      }, came(ann))
    end)

    it("the message as it was published, with what is empty in it", function()
      local ann  = connect "ann"
      local data = '{"conversation":"7","files":[],"more":{"by":[[]]},"none":null,"to":{}}'
      local answer = world:request("POST", "/publish", {
        headers = { authorization = "Bearer " .. KEY, ["content-type"] = "application/json" },
        body = '{"type":"chatmessage.new","data":' .. data .. "}",
      })
      assert.equal(200, answer.status)
      assert.equal('{"data":' .. data .. ',"type":"chatmessage.new"}', ann:events()[2].data)
    end)

    it("them to participants and to nobody else", function()
      local ann, bob, eve = connect "ann", connect "bob", connect "eve"
      say "hello"
      publish("conversation.updated", { id = "7" })
      assert.same({ "hello", "conversation.updated" }, texts(ann))
      assert.same({ "hello", "conversation.updated" }, texts(bob))
      assert.same({}, came(eve))
    end)

    it("a message to those that it concerns, whatever the number of the others", function()
      for i = 1, 200 do connect("stranger" .. i) end
      connect "ann"
      connect "bob"
      local answer = say "hello"
      assert.same({ 2, 2 }, { answer.json.triggers, answer.json.subscribers })
      local trigger = world:explain({ last = 2 }).apps[1].triggers[1]
      assert.same({ delivered = 1 }, trigger.outcomes)
    end)

    it("what is of the context that it is asked for, and what has none to who asks for none", function()
      conversations["7"].context = nil
      local all, work = connect "ann", connect("ann", { search = "?context=work" })
      local empty     = connect("ann", { search = "?context=" })
      say("one", { context = "work" })
      say("two", { context = "home" })
      say "three"
      assert.same({ "one", "two", "three" }, texts(all))
      assert.same({ "one", "two", "three" }, texts(empty))
      assert.same({ "one" }, texts(work))
    end)

    it("messages under their conversation's context, if they name none", function()
      local work, home = connect("ann", { search = "?context=work" }), connect("ann", { search = "?context=home" })
      say "one"
      say("two", { context = "home" })
      assert.same({ "one" }, texts(work))
      assert.same({ "two" }, texts(home))
    end)
  end)

  describe("knows who takes part", function()
    it("by what was saved or fetched, and asks nobody then", function()
      local ann, eve = connect "ann", connect "eve"
      publish("conversation.saved", { id = "7", participants = { "ann", "ann" } })
      say "one"
      publish("conversation.fetched", { id = "7", participants = { "eve" } })
      say "two"
      assert.same({ "one" }, texts(ann))
      assert.same({ "two" }, texts(eve))
      assert.equal(0, lookups())
    end)

    it("by an update that says so", function()
      local ann, eve = connect "ann", connect "eve"
      publish("conversation.updated", { id = "7", participants = { "eve" } })
      say "one"
      assert.same({}, texts(ann))
      assert.same({ "conversation.updated", "one" }, texts(eve))
    end)

    it("by asking once, when it does not", function()
      local ann = connect "ann"
      for i = 1, 3 do say(tostring(i)) end
      assert.equal(1, lookups())
      world:advance(301)
      say "4"
      assert.equal(2, lookups())
      assert.same({ "1", "2", "3", "4" }, texts(ann))
    end)

    it("or sends nothing, and says 503 to who publishes, so that it tries again", function()
      local ann = connect "ann"
      for _, code in ipairs { "refused", "timeout", "network" } do
        world:fail("GET /api/conversations/7", code)
        local answer = say "lost"
        world:advance(6)
        answer = answer.result and answer:result() or answer
        assert.same({ 503, "participants_unknown", "1" },
          { answer.status, answer.json.error.code, answer.headers["retry-after"] })
      end
      for _, reply in ipairs { { status = 500 }, { body = "no JSON" }, { json = { participants = 7 } },
                                 { json = { participants = { ann = true } } }, { body = "null" }, { json = {} },
                                 { json = { participants = { x = "ann" } } },
                                 { json = { participants = { "ann", 7 } } },
                                 { json = { participants = { { key = "ann" } } } } } do
        world:reply("GET /api/conversations/7", reply)
        assert.equal(503, say("lost").status)
        assert.equal(503, publish("conversation.updated", { id = "7" }).status)
      end
      world:reply("GET /api/conversations/7", { json = { participants = { "ann" } } })
      assert.equal(200, say("again").status)
      assert.same({ "again" }, texts(ann))
    end)

    it("and is not kept from them by one among them that nobody can be named by", function()
      local ann = connect "ann"
      for _, odd in ipairs { "", "a b", ("x"):rep(2000), ("\195\169"):rep(200) } do
        conversations["7"].participants = { odd, "ann" }
        assert.equal(200, say "hello".status)
        world:advance(301)
      end
      assert.equal(200, publish("conversation.saved", { id = "8", participants = { ("x"):rep(2000), "ann" } }).status)
      assert.equal(200, publish("chatmessage.new", { conversation = "8", text = "hello" }).status)
      assert.same({ "hello", "hello", "hello", "hello", "hello" }, texts(ann))
    end)

    it("of none whose name would lead to another address", function()
      for _, id in ipairs { ".", ".." } do
        assert.equal(422, publish("chatmessage.new", { conversation = id }).status)
      end
    end)

    it("of none that there is not", function()
      conversations["7"] = nil
      local ann = connect "ann"
      local answer = say "lost"
      assert.same({ 422, "unknown_conversation" }, { answer.status, answer.json.error.code })
      assert.same({}, came(ann))
    end)

    it("when it sends a second time what was missed, too", function()
      local ann, bob = connect "ann", connect "bob"
      say "one"
      local id = ann:events()[2].id
      ann:close()
      bob:close()
      say "two"
      publish("conversation.saved", { id = "7", participants = { "ann" } })
      assert.same({ "two" }, texts(connect("ann", { last_event_id = id })))
      assert.same({}, texts(connect("bob", { last_event_id = id })))
    end)

    it("or holds back what was missed, and tells to read again once it knows", function()
      local ann = connect "ann"
      say "one"
      local id = ann:events()[2].id
      ann:close()
      say "two"
      world:reload "rules/osis.lua"                                 -- what was known is forgotten
      world:fail("GET /api/conversations/7", "refused")
      local back = connect("ann", { last_event_id = id })
      assert.same({}, texts(back))
      world:reply("GET /api/conversations/7", { json = { participants = { "ann" } } })
      say "three"
      world:advance(5)
      local got = texts(back)
      table.sort(got)
      assert.same({ "resync", "three" }, got)
    end)
  end)

  describe("takes", function()
    it("nothing without the key, whoever it is that sends it", function()
      local body = { type = "chatmessage.new", data = { conversation = "7" } }
      assert.equal(401, world:publish("/publish", body, { key = "another" }).status)
      local answer = world:request("POST", "/publish", { headers = { ["x-public-key"] = "ann" }, trusted = true,
                                                         json = body })
      assert.equal(401, answer.status)
    end)

    it("nothing that does not say what it is about", function()
      for type, data in pairs {
        ["chatmessage.new"]      = { text = "hello" },
        ["conversation.updated"] = { title = "Lunch" },
        ["conversation.saved"]   = { id = "7" },
        ["conversation.fetched"] = { id = "7", participants = { "ann", 7 } },
        ["conversation.eaten"]   = { id = "7" },
      } do
        assert.equal(422, publish(type, data).status)
      end
    end)
  end)

  it("tells who lags how much it missed, to the last message", function()
    local ann, slow = connect "ann", connect "bob"
    slow:stall()
    for i = 1, 600 do say(tostring(i)) end
    slow:unstall()
    world:advance(1)
    local got = slow:events()
    local missed = json.decode(got[#got].data)
    assert.equal("resync", got[#got].type)
    assert.equal("lagged", missed.reason)
    assert.equal(600, #came(slow) - 1 + missed.missed)
    assert.equal(600, #came(ann))
  end)

  it("lets 256 messages wait, and keeps 256 for who comes back", function()
    local slow = connect "bob"
    say "0"
    local id = slow:events()[2].id
    slow:stall()
    for i = 1, 256 do say(tostring(i)) end
    slow:unstall()
    assert.equal(257, #came(slow))
    slow:close()
    local back = connect("bob", { last_event_id = id })
    assert.is_true(back.ready.resumed)
    assert.equal(256, #came(back))
    say "257"
    assert.is_false(connect("bob", { last_event_id = id }).ready.resumed)
  end)

  it("keeps a silent stream alive every 15 s, unseen by the page", function()
    local ann = connect "ann"
    world:advance(14.9)
    for _ = 1, 3 do                                                 -- seen by the cursor that it carries
      publish("conversation.updated", { id = "7", participants = { "bob" } })
      local before = ann.last_id
      world:advance(0.05)
      assert.equal(before, ann.last_id)
      world:advance(0.1)
      assert.not_equal(before, ann.last_id)
      world:advance(14.85)
    end
    assert.same({}, came(ann))
  end)
end)
