-- Rooms, jobs and presence: rules/persona.lua.

local json = require "cjson"
local rig  = require "sluice.rig"
local tree = require "spec.support.tree"

local KEY = "the key of who publishes"
local ENV = { PERSONA_JWT_KEY = ("a secret of our own "):rep(2), PERSONA_PUBLISH_KEY = KEY }
local NOW = 1790000000 -- 2026-09-21T14:13:20Z

describe("persona", function()
  local world

  local function load(options)
    local sent = { env = ENV, wall = NOW }
    for name, value in pairs(options or {}) do sent[name] = value end
    world = rig.load({ "rules/persona.lua", "spec/fixtures/signer.lua" }, sent)
  end

  before_each(function() load() end)
  after_each(function() world:close() end)

  local function token(user, claims)
    local all = { sub = user, aud = "persona", exp = NOW + 3600, name = user:gsub("^%l", string.upper) }
    for name, value in pairs(claims or {}) do all[name] = value ~= json.null and value or nil end
    return world:request("POST", "/sign", { json = all }).body
  end

  local function as(user, claims) return { authorization = "Bearer " .. token(user, claims) } end

  -- A stream that has these channels.
  local function connect(user, channels, options)
    local sent = { headers = as(user, options and options.claims), query = { channel = channels } }
    for name, value in pairs(options or {}) do sent[name] = value end
    sent.claims = nil
    return world:connect("/api/events", sent)
  end

  local function say(user, body, options)
    local sent = { headers = as(user, options and options.claims), json = body, tag = options and options.tag }
    return world:request("POST", "/api/chat/messages", sent)
  end

  -- A message of the bus; `message` may be a text that is none.
  local function bus(topic, message, key)
    return world:publish("/api/realtime", { type = "message", topic = topic, data = message }, { key = key or KEY })
  end

  -- What came to a tab but `ready` and, unless they are asked for, what says who is there.
  local function came(tab, with_presence)
    local list = {}
    for _, event in ipairs(tab:events()) do
      local data = event.type ~= "ready" and json.decode(event.data)
      if data and (with_presence or data.type ~= "presence") then list[#list + 1] = data end
    end
    return list
  end

  local function types(tab)
    local list = {}
    for i, message in ipairs(came(tab)) do list[i] = message.type end
    return list
  end

  describe("a stream", function()
    it("has the channels that it asks for, and of users its own", function()
      local ann = connect("ann", { "channel:general", "user:ann" })
      assert.equal(200, ann.status)
      bus("realtime:channel:general", { type = "chat", userId = "bob", content = "to all" })
      bus("realtime:user:ann", { type = "chat", userId = "bob", content = "to ann" })
      bus("realtime:channel:other", { type = "chat", userId = "bob", content = "elsewhere" })
      bus("realtime:user:bob", { type = "chat", userId = "ann", content = "to bob" })
      local got = came(ann)
      assert.equal(2, #got)
      assert.same({ "to all", "channel:general" }, { got[1].content, got[1].channel })
      assert.same({ "to ann", "user:ann" }, { got[2].content, got[2].channel })
    end)

    it("that asks for none has its user's own", function()
      local ann = world:connect("/api/events", { headers = as "ann@example.com" })
      bus("realtime:user:ann@example.com", { type = "chat", userId = "bob", content = "hello" })
      bus("realtime:channel:general", { type = "chat", userId = "bob", content = "hello" })
      assert.same({ "chat" }, types(ann))
    end)

    it("is refused if one of its channels is another's, shut, or none", function()
      assert.equal(403, connect("ann", "user:bob").status)
      assert.equal(403, connect("ann", { "channel:general", "user:bob" }).status)
      assert.equal(403, connect("ann", "channel:general", { claims = { channels = { "other" } } }).status)
      assert.equal(403, connect("ann", "channel:general", { claims = { channels = json.decode "[]" } }).status)
      assert.equal(403, connect("ann", "nothing").status)
      assert.equal(403, connect("ann", "").status)
      assert.equal(403, connect("ann", "channel:a%2Fb").status)
      assert.equal(403, connect("ann", "channel:" .. ("a"):rep(65)).status)
      assert.equal(200, connect("ann", "channel:other", { claims = { channels = { "more", "other" } } }).status)
    end)

    it("does not know channels by ?topic=", function()
      local ann = world:connect("/api/events?topic=channel:general", { headers = as "ann" })
      bus("realtime:channel:general", { type = "chat", userId = "bob", content = "hello" })
      assert.same({}, types(ann))
    end)

    it("takes its token from the header or from the query, the header first", function()
      local function status(headers, query)
        return world:connect("/api/events", { headers = headers, query = query }).status
      end
      assert.equal(200, status(nil, { token = token "ann" }))
      assert.equal(200, status(as "ann", { token = "nonsense", channel = "user:ann" }))
      assert.equal(401, status({ authorization = "Bearer nonsense" }, { token = token "ann" }))
      assert.equal(401, status())
    end)

    it("is refused without a token that is good", function()
      local function status(claims) return world:connect("/api/events", { headers = as("ann", claims) }).status end
      assert.equal(200, status())
      assert.equal(401, status { exp = NOW - 60 })
      assert.equal(401, status { aud = "another" })
      assert.equal(401, status { nbf = NOW + 60 })
      local signed = token "ann"
      local forged = signed:gsub("^([^.]+%.)[^.]+", "%1" .. token("bob"):match "^[^.]+%.([^.]+)")
      assert.equal(401, world:connect("/api/events", { headers = { authorization = "Bearer " .. forged } }).status)
    end)

    it("ends when its token does", function()
      local ann = connect("ann", "user:ann", { claims = { exp = NOW + 60 } })
      world:advance(90)
      assert.is_false(ann:is_open())
      assert.equal("expired", ann:types()[#ann:types()])
    end)

    it("is not refused for good, and shows nothing, where a token makes no sense to the rules", function()
      bus("realtime:channel:general", { type = "chat", userId = "bob", content = "hello" })
      local claims = { channels = "general" }
      assert.equal(503, connect("ann", "channel:general", { claims = claims }).status)
      assert.equal(500, say("ann", { channel = "channel:general", content = "x" }, { claims = claims }).status)
      local _, errors = world:log()
      assert.equal(2, errors)
    end)

    it("comes back without a hole, and one that begins anew gets what was said lately", function()
      local ann = connect("ann", "channel:general")
      local function speak(text) bus("realtime:channel:general", { type = "chat", userId = "bob", content = text }) end
      speak "one"
      ann:cut()
      speak "two"
      local back = ann:reconnect()
      assert.is_true(back.ready.resumed)
      assert.equal("two", came(back)[1].content)
      local new = connect("bob", "channel:general", { last_event_id = "earliest" })
      assert.same({ "chat", "chat" }, types(new))
    end)

    it("keeps its channels over a reload, and is asked about them anew", function()
      local ann, bob = connect("ann", "channel:general"), connect("bob", "channel:general")
      local path  = os.tmpname()
      local other = assert(io.open(path, "w"))
      other:write((tree.read("rules/persona.lua"):gsub("return #id <= 64", "return id ~= 'general' and #id <= 64")))
      other:close()
      world:reload "rules/persona.lua"
      bus("realtime:channel:general", { type = "chat", userId = "bob", content = "hello" })
      assert.same({ "chat" }, types(ann))
      assert.same({ "chat" }, types(bob))
      world:reload(path)
      os.remove(path)
      world:advance(1)
      local got = came(ann)
      assert.equal(2, #got)
      assert.same({ reason = "reload", missed = json.null, topics = { "channel:general" } }, got[2])
    end)
  end)

  describe("an event", function()
    it("has no name, and says type, time and all that was said", function()
      local ann = connect("ann", "channel:general")
      local sent = { type = "generation_progress", timestamp = "2026-01-02T03:04:05Z", userId = "bob", userName = "Bob",
        channel = "channel:general", content = "c", jobId = "j1", progress = 40, message = "painting",
        status = "running", result = { url = "/r/1" }, secret = "not to be seen" }
      assert.equal(200, bus("realtime:channel:general", sent).status)
      sent.secret = nil
      assert.same(sent, came(ann)[1])
      assert.equal("message", ann:types()[#ann:types()])
    end)

    it("is given time and channel where it has none; null is none", function()
      local ann = connect("ann", "user:ann")
      bus("realtime:user:ann", { type = "generation_complete", jobId = "j1", result = json.null, channel = json.null })
      assert.same({ { type = "generation_complete", jobId = "j1", channel = "user:ann",
                      timestamp = "2026-09-21T14:13:20Z" } }, came(ann))
    end)

    it("is one of four types", function()
      local ann = connect("ann", "channel:general")
      local channel = "realtime:channel:general"
      bus(channel, { type = "chat", userId = "bob", content = "hello" })
      bus(channel, { type = "generation_progress", jobId = "j", progress = 0 })
      bus(channel, { type = "generation_complete", jobId = "j" })
      bus(channel, { type = "presence", userId = "eve", status = "online" })
      local list = {}
      for i, message in ipairs(came(ann, true)) do list[i] = message.type end
      assert.same({ "presence", "chat", "generation_progress", "generation_complete", "presence" }, list)
    end)

    it("of a job's progress takes the place of an older one for whom it waits", function()
      local ann = connect("ann", "channel:general")
      ann:stall()
      for progress = 1, 50 do
        bus("realtime:channel:general", { type = "generation_progress", jobId = "j1", progress = progress })
        bus("realtime:channel:general", { type = "generation_progress", jobId = "j2", progress = progress })
      end
      ann:unstall()
      local got = came(ann)
      assert.is_true(#got < 10)
      assert.same({ 50, 50 }, { got[#got - 1].progress, got[#got].progress })
    end)
  end)

  describe("the page that is made of the rules", function()
    local page = tree.read "docs/channels/persona.md"

    -- Of each type of each topic: { "channel:general", "chat", its fields with what is said of them }.
    local function documented()
      local list, topic = {}, nil
      for line in page:match("\n## Topics\n(.*)\n## Ingests\n"):gmatch "[^\n]+" do
        local name, type  = line:match "^### `(.-)`", line:match "^#### `(.-)`"
        local field, text = line:match "^| `(%a+)` | (.*) |$"
        if name then topic = name:gsub("{id}", name:find "^user" and "ann" or "general") end
        if type then list[#list + 1] = { topic, type, {} } end
        if field then list[#list][3][field] = text end
      end
      return list
    end

    it("has the types that there are, and of each the fields that it may have", function()
      local found, values = {}, { progress = 40, result = { url = "/r/1" }, status = "offline" }
      local tab = connect("ann", { "channel:general", "user:ann" })
      for i, one in ipairs(documented()) do
        local topic, type, fields = unpack(one)
        found[i] = topic .. " " .. type
        local message = {}
        for field in pairs(fields) do message[field] = values[field] or "a text" end
        message.type = type
        bus("realtime:" .. topic, message)
        local got = came(tab, true)
        assert.same(message, got[#got])
      end
      local expected = {}
      for _, topic in ipairs { "channel:general", "user:ann" } do
        for _, type in ipairs { "chat", "generation_complete", "generation_progress", "presence" } do
          expected[#expected + 1] = topic .. " " .. type
        end
      end
      assert.same(expected, found)
    end)

    it("says of a field that it is always there where no message goes out without it", function()
      local tab, values = connect("ann", { "channel:general", "user:ann" }), { progress = 40, status = "online" }
      for _, one in ipairs(documented()) do
        local topic, type, fields = unpack(one)
        for left_out, text in pairs(fields) do
          local message, before = {}, #came(tab, true)
          for field in pairs(fields) do message[field] = field ~= left_out and (values[field] or "a text") or nil end
          if left_out ~= "type" then message.type = type end
          bus("realtime:" .. topic, message)
          local got = came(tab, true)
          local may_lack = #got > before and got[#got][left_out] == nil
          assert.same({ type, left_out, not text:find "; always there$" }, { type, left_out, may_lack })
        end
      end
    end)

    it("is no less than what goes out", function()
      local tab = connect("ann", "channel:general")
      say("ann", { channel = "channel:general", content = "hello" })
      for _, message in ipairs(came(tab, true)) do
        local section = page:match("\n#### `" .. message.type .. "`\n(.-)\n###")
        for field in pairs(message) do assert.truthy(section:find("| `" .. field .. "` |", 1, true)) end
      end
    end)
  end)

  -- What the bus may bring and makes no sense: { channel, message }.
  local channel, good = "realtime:channel:general", { type = "chat", userId = "bob", content = "hello" }
  local SENSELESS = {
    { channel, "{" }, { channel, "null" }, { channel, "7" }, { channel, '"text"' }, { channel, "[]" },
    { channel, "" },
    { channel, {} }, { channel, { type = "shout", userId = "bob", content = "x" } }, { channel, { type = 7 } },
    { channel, { type = { "chat" }, userId = "bob", content = "x" } },
    { channel, { type = "chat", userId = "bob" } }, { channel, { type = "chat", content = "x" } },
    { channel, { type = "chat", userId = 7, content = "x" } },
    { channel, { type = "chat", userId = "b", content = {} } },
    { channel, { type = "generation_progress", jobId = "j", progress = "half" } },
    { channel, { type = "generation_progress", progress = 1 } }, { channel, { type = "generation_complete" } },
    { channel, { type = "presence", userId = "bob" } },
    { channel, { type = "presence", userId = "bob", status = "away" } },
    { channel, '{"type":"generation_progress","jobId":"j","progress":1e999}' },
    { channel, '{"type":"generation_complete","jobId":"j","result":{"a":[1e999]}}' },
    { "realtime:group:general", good }, { "channel:general", good }, { "realtime:channel:", good },
    { "realtime:channel", good }, { "xrealtime:channel:general", good }, { "realtime:channel:a b", good },
    { "realtime:channel:" .. ("a"):rep(65), good }, { "realtime:user:" .. ("a"):rep(300), good },
  }

  describe("the bus", function()
    it("is for who has its key", function()
      local message = { type = "chat", userId = "bob", content = "hello" }
      local ann = connect("ann", "channel:general")
      assert.equal(401, bus("realtime:channel:general", message, "another").status)
      local body = { type = "message", topic = "realtime:channel:general", data = message }
      assert.equal(401, world:request("POST", "/api/realtime", { headers = as "ann", json = body }).status)
      assert.same({}, types(ann))
    end)

    it("drops what makes no sense, counts it, and goes on", function()
      local ann = connect("ann", { "channel:general", "user:ann" })
      for i, one in ipairs(SENSELESS) do
        local answer = bus(one[1], one[2])
        assert.same({ i, 200, 0 }, { i, answer.status, answer.json.triggers })
        assert.same({ i, i }, { i, world:counters().events_dropped })
      end
      bus(nil, good)
      assert.equal(#SENSELESS + 1, world:counters().events_dropped)
      assert.equal(0, world:counters().failures)
      bus(channel, good)
      assert.same({ "chat" }, types(ann))
      local line = 'msg="event dropped" app=persona in="realtime:on \\"message\\"" why="it is no JSON object"'
      assert.truthy(world:log():find(line, 1, true))
    end)
  end)

  describe("Redis", function()
    before_each(function()
      world:close()
      local env = { PERSONA_REDIS = "redis://127.0.0.1:6379" }
      for name, value in pairs(ENV) do env[name] = value end
      load { env = env }
      world:redis("SET", "OK")
    end)

    it("has the names of who is on other nodes", function()
      world:redis("MGET", function(words)
        assert.same({ "MGET", "persona:name:bob", "persona:name:cid" }, words)
        return { "Bob", false }
      end)
      local ann, bob, cid = connect("ann", "channel:general"), connect("bob", "channel:general"),
                            connect("cid", "channel:general", { claims = { name = json.null } })
      local function set(user, name) return { "SET", "persona:name:" .. user, name, "EX", "604800" } end
      assert.same({ set("ann", "Ann"), set("bob", "Bob") }, world:redis_commands "SET")
      bob:close()
      cid:close()
      local answer = world:request("GET", "/api/channels/general/members", { headers = as "ann" }).json
      assert.same({ { userId = "ann", userName = "Ann" }, { userId = "bob", userName = "Bob" }, { userId = "cid" } },
                  answer.members)
      world:redis_fail("MGET", "away")
      world:advance(5)
      local gone = {}
      for _, message in ipairs(came(ann, true)) do
        if message.status == "offline" then gone[message.userId] = message.userName or "" end
      end
      assert.same({ bob = "Bob", cid = "" }, gone)       -- what this node knows itself
    end)

    it("brings messages as the bus does", function()
      local ann, bob = connect("ann", { "channel:general", "user:ann" }), connect("bob", "channel:other")
      world:redis_message("realtime:channel:general", { type = "chat", userId = "bob", content = "to all", x = 1 })
      world:redis_message("realtime:user:ann", { type = "generation_complete", jobId = "j1" })
      world:redis_message("realtime:channel:other", { type = "chat", userId = "eve", content = "elsewhere" })
      assert.equal(0, world:redis_message("realtimes", good))
      assert.same({ { type = "chat", userId = "bob", content = "to all", channel = "channel:general",
                      timestamp = "2026-09-21T14:13:20Z" },
                    { type = "generation_complete", jobId = "j1", channel = "user:ann",
                      timestamp = "2026-09-21T14:13:20Z" } }, came(ann))
      assert.same({ "chat" }, types(bob))
    end)

    it("may bring what makes no sense: it is dropped and counted, and nobody is told of it", function()
      local ann, dropped = connect("ann", { "channel:general", "user:ann" }), 0
      for _, one in ipairs(SENSELESS) do
        dropped = dropped + world:redis_message(one[1], one[2])
        assert.equal(dropped, world:counters().events_dropped)
      end
      assert.is_true(dropped > #SENSELESS - 5)                -- all but those that the pattern does not take
      assert.same({ 0, 0 }, { world:counters().failures, world:redis_counters().failed })
      world:redis_message(channel, good)
      assert.same({ "chat" }, types(ann))
      assert.truthy(world:log():find('in="bus:on \\"message\\"" why="it is no JSON object"', 1, true))
    end)

    it("that was away has its channels told to read again", function()
      local ann, eve = connect("ann", { "channel:general", "user:ann" }), connect("eve", "channel:other")
      world:redis_down()
      assert.same({}, came(ann))
      world:redis_up()
      local told = {}
      for _, message in ipairs(came(ann)) do told[#told + 1] = message.reason .. " " .. message.topics[1] end
      table.sort(told)
      assert.same({ "upstream channel:general", "upstream user:ann" }, told)
      assert.same({ { reason = "upstream", missed = json.null, topics = { "channel:other" } } }, came(eve))
      world:redis_message(channel, good)
      assert.equal("chat", came(ann)[3].type)
    end)
  end)

  describe("a message that is posted", function()
    it("is its token's user's, whatever its body says", function()
      local bob = connect("bob", "channel:general")
      local body = { channel = "channel:general", content = "it was bob", userId = "bob", userName = "Bob",
        type = "presence", timestamp = "1970-01-01T00:00:00Z", status = "offline" }
      local answer = say("ann", body)
      assert.same({ 204, "" }, { answer.status, answer.body })
      assert.same({ { type = "chat", userId = "ann", userName = "Ann", content = "it was bob",
                      channel = "channel:general", timestamp = "2026-09-21T14:13:20Z" } }, came(bob))
    end)

    it("goes to all tabs but the one that said it by its tag", function()
      local one = connect("ann", "channel:general", { tag = "a-tab-of-ann-0001" })
      local two = connect("ann", "channel:general")
      say("ann", { channel = "channel:general", content = "hello" }, { tag = "a-tab-of-ann-0001" })
      assert.same({ 0, 1 }, { #came(one), #came(two) })
      say("ann", { channel = "channel:general", content = "hello" })
      assert.same({ 1, 2 }, { #came(one), #came(two) })
      say("bob", { channel = "channel:general", content = "hello" }, { tag = "a-tab-of-ann-0001" })
      assert.same({ 2, 3 }, { #came(one), #came(two) })
    end)

    it("is refused without a token, in a channel that is not open to it, and where it makes no sense", function()
      local bob = connect("bob", { "channel:general", "user:bob" })
      local body = { channel = "channel:general", content = "hello" }
      assert.equal(401, world:request("POST", "/api/chat/messages", { json = body }).status)
      assert.equal(403, say("ann", body, { claims = { channels = { "other" } } }).status)
      assert.equal(403, say("ann", { channel = "channel:a b", content = "hello" }).status)
      for _, bad in ipairs { {}, 7, "text", { channel = "channel:general" }, { content = "hello" },
          { channel = "user:bob", content = "x" }, { channel = "channel:general", content = " \n" },
          { channel = { "channel:general" }, content = "x" }, { channel = "channel:general", content = { "x" } },
          { channel = "channel:general", content = ("x"):rep(4001) } } do
        assert.equal(422, say(("user%d"):format(#json.encode(bad)), bad).status)
      end
      assert.equal(400, world:request("POST", "/api/chat/messages", { headers = as "ann", body = "{" }).status)
      assert.same({}, came(bob))
    end)

    it("is refused with 429 from who posts too fast, and from nobody else", function()
      local bob = connect("bob", "channel:general")
      local body = { channel = "channel:general", content = "hello" }
      for _ = 1, 10 do assert.equal(204, say("ann", body).status) end
      local answer = say("ann", body)
      assert.same({ 429, "1" }, { answer.status, answer.headers["retry-after"] })
      assert.equal(204, say("eve", body).status)
      world:advance(1)
      assert.equal(204, say("ann", body).status)
      assert.equal(429, say("ann", body).status)
      assert.equal(12, #came(bob))
    end)

    it("and others are no flood: above its limit a channel's subscribers are told to read again", function()
      local ann, bob = connect("ann", "channel:general"), connect("bob", "channel:other")
      for i = 1, 250 do bus("realtime:channel:general", { type = "chat", userId = "bob", content = tostring(i) }) end
      bus("realtime:channel:other", { type = "chat", userId = "ann", content = "hello" })
      local got = came(ann)
      assert.is_true(#got <= 201)
      assert.equal("limited", got[#got].reason)
      assert.same({ "chat" }, types(bob))
    end)
  end)

  describe("presence", function()
    local function told(tab)
      local list = {}
      for _, message in ipairs(came(tab, true)) do
        if message.type == "presence" then
          assert.equal("channel:general", message.channel)
          list[#list + 1] = ("%s %s %s"):format(message.userId, message.userName, message.status)
        end
      end
      return list
    end

    local function members(user, id)
      local answer = world:request("GET", "/api/channels/" .. (id or "general") .. "/members", { headers = as(user) })
      return answer.status == 200 and answer.json.members or answer.status
    end

    it("says who comes, and who goes once the grace is over", function()
      local ann = connect("ann", "channel:general")
      local bob = connect("bob", "channel:general")
      local second = connect("bob", "channel:general")
      assert.same({ "ann Ann online", "bob Bob online" }, told(ann))
      bob:close()
      world:advance(10)
      second:close()
      world:advance(4.9)
      assert.equal(2, #told(ann))
      second = connect("bob", "channel:general")
      world:advance(10)
      assert.equal(2, #told(ann))
      second:close()
      world:advance(5)
      assert.same({ "ann Ann online", "bob Bob online", "bob Bob offline" }, told(ann))
      connect("bob", "channel:general")
      assert.equal("bob Bob online", told(ann)[4])
    end)

    it("is of a channel: who is in another is not there", function()
      local ann = connect("ann", { "channel:general", "user:ann" })
      connect("bob", { "channel:other", "user:bob" })
      assert.same({ "ann Ann online" }, told(ann))
      assert.same({ { userId = "ann", userName = "Ann" } }, members "ann")
      assert.same({ { userId = "bob", userName = "Bob" } }, members("ann", "other"))
    end)

    it("can be asked by whom the channel is open to", function()
      assert.same({}, members "ann")
      connect("bob", "channel:general", { claims = { name = json.null } })
      assert.same({ { userId = "bob" } }, members "ann")
      assert.equal(403, members("ann", "a%2Fb"))
      local headers = as("ann", { channels = { "other" } })
      assert.equal(403, world:request("GET", "/api/channels/general/members", { headers = headers }).status)
      assert.equal(401, world:request("GET", "/api/channels/general/members").status)
    end)
  end)

  describe("a node that is full", function()
    it("says so by status, and the others live", function()
      world:close()
      load { streams = 3 }
      local tabs = {}
      for i = 1, 3 do tabs[i] = connect("user" .. i, "channel:general") end
      local late = connect("late", "channel:general")
      assert.equal(503, late.status)
      assert.truthy(late.headers["retry-after"])
      assert.equal(204, say("late", { channel = "channel:general", content = "let me in" }).status)
      assert.same({ "chat" }, types(tabs[3]))
      tabs[1]:close()
      assert.equal(200, connect("late", "channel:general").status)
    end)

    it("lets browsers come back by themselves where it is told to", function()
      world:close()
      load { streams = 1, env = { PERSONA_JWT_KEY = ENV.PERSONA_JWT_KEY, PERSONA_PUBLISH_KEY = KEY,
                                  PERSONA_REFUSAL = "retry" } }
      connect("ann", "channel:general")
      local late = connect("late", "channel:general")
      assert.equal(200, late.status)
      assert.is_false(late:is_open())
      assert.is_true(late.retry > 0)
      assert.same({}, late:types())
    end)
  end)
end)
