-- The Mercure protocol: rules/mercure.lua.

local json   = require "cjson.safe"
local rig    = require "sluice.rig"
local tokens = require "spec.support.tokens"
local tree   = require "spec.support.tree"

local HUB = "/.well-known/mercure"
local PUBLISH_KEY, SUBSCRIBE_KEY = ("p"):rep(40), ("s"):rep(40)
local FORM = "application/x-www-form-urlencoded"
local BOOK, OTHER = "https://example.com/books/1", "https://example.com/films/1"
local BOOKS = "https://example.com/books/{id}"
local ALL_SUBSCRIPTIONS = HUB .. "/subscriptions{/topic}{/subscriber}"
local NOW = 1700000000

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

local function bearer(token) return { authorization = "Bearer " .. token } end

describe("mercure", function()
  local world, signed

  -- Tokens are made by worlds of their own, one after the other.
  setup(function()
    local function publisher(claim) return tokens.sign({ mercure = claim }, PUBLISH_KEY) end
    local function subscriber(claim, more)
      local claims = { mercure = claim }
      for name, value in pairs(more or {}) do claims[name] = value end
      return tokens.sign(claims, SUBSCRIBE_KEY)
    end
    signed = {
      all        = publisher { publish = { "*" } },
      books      = publisher { publish = { BOOKS, "books" } },
      nothing    = publisher { publish = {} },
      silent     = publisher { subscribe = { "*" } },
      forged     = tokens.sign({ mercure = { publish = { "*" }, subscribe = { "*" } } }, ("x"):rep(40)),
      namespaced = tokens.sign({ ["https://mercure.rocks/"] = { publish = { "*" } } }, PUBLISH_KEY),
      for_hub    = tokens.sign({ mercure = { publish = { "*" } }, aud = "the hub" }, PUBLISH_KEY),
      reader     = subscriber({ subscribe = { BOOKS }, payload = { name = "Ann" } }, { sub = "ann" }),
      stranger   = subscriber({ subscribe = {} }),
      watcher    = subscriber { subscribe = { ALL_SUBSCRIPTIONS } },
      of_book    = subscriber { subscribe = { HUB .. "/subscriptions/" .. escape(BOOK) } },
      short      = subscriber({ subscribe = { "*" } }, { exp = NOW + 60 }),
      past       = subscriber({ subscribe = { "*" } }, { exp = NOW - 60 }),
      long       = subscriber { subscribe = { ("x"):rep(4096) } },
      many       = subscriber { subscribe = { ("{a}"):rep(32), ("{b}"):rep(32), "{c}" } },
      pages      = subscriber { subscribe = { BOOK .. "{?page}" } },
      odd        = subscriber { subscribe = { 7 } },
    }
  end)

  local function load(more)
    local env = { MERCURE_PUBLISHER_JWT_KEY = PUBLISH_KEY, MERCURE_SUBSCRIBER_JWT_KEY = SUBSCRIBE_KEY,
                  MERCURE_ANONYMOUS = "1" }
    for name, value in pairs(more or {}) do env[name] = value or nil end
    world = rig.load("rules/mercure.lua", { env = env, wall = NOW, streams_per_user = 3 })
  end

  after_each(function() if world then world:close() end world = nil end)

  local function subscribe(topics, options)
    options = options or {}
    local query = {}
    for i, topic in ipairs(type(topics) == "table" and topics or { topics }) do query[i] = "topic=" .. escape(topic) end
    if options.query then query[#query + 1] = options.query end
    return world:connect(HUB .. "?" .. table.concat(query, "&"), {
      headers = options.token and bearer(options.token) or options.headers, cookie = options.cookie,
      last_event_id = options.last_event_id,
    })
  end

  -- Fields of a form, a list of { name, value }.
  local function post(fields, options)
    options = options or {}
    local pairs_of = {}
    for i, field in ipairs(fields) do pairs_of[i] = field[1] .. "=" .. escape(field[2]) end
    local headers = options.headers or bearer(options.token or signed.all)
    headers["content-type"] = options.type or FORM
    return world:request("POST", HUB,
      { headers = headers, body = table.concat(pairs_of, "&"), cookie = options.cookie })
  end

  local function publish(topic, data, more)
    local fields = { { "topic", topic }, { "data", data } }
    for name, value in pairs(more or {}) do fields[#fields + 1] = { name, value } end
    local answer = post(fields)
    assert.equal(200, answer.status)
    return answer.body
  end

  local function data_of(tab)
    local list = {}
    for i, event in ipairs(tab:events()) do list[i] = event.data end
    return list
  end

  describe("publishing", function()
    before_each(function() load() end)

    it("answers with the id, as text, and sends the update as it was given", function()
      local tab = subscribe(BOOK)
      local answer = post { { "topic", BOOK }, { "data", "one\ntwo" }, { "id", "urn:a" }, { "type", "changed" },
                            { "retry", "1500" } }
      assert.same({ 200, "urn:a", "text/plain; charset=utf-8" },
        { answer.status, answer.body, answer.headers["content-type"] })
      assert.same({ { type = "changed", id = "urn:a", data = "one\ntwo" } }, tab:events())
      assert.equal(1500, tab.retry)
    end)

    it("makes an id where none is given, and says which", function()
      local tab = subscribe(BOOK)
      local id = publish(BOOK, "x")
      assert.truthy(id:find "^urn:uuid:%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$")
      assert.equal(id, tab:events()[1].id)
      assert.not_equal(id, publish(BOOK, "x", { id = "" }))
    end)

    it("takes an update without data, and one without a type as a message", function()
      local tab = subscribe(BOOK)
      assert.equal(200, post({ { "topic", BOOK }, { "type", "" } }).status)
      assert.same({ "message", "" }, { tab:events()[1].type, tab:events()[1].data })
    end)

    it("is for who has a token that says so", function()
      local update = { { "topic", BOOK }, { "data", "x" } }
      local function status(options) return post(update, options).status end
      assert.equal(200, status { token = signed.books })
      assert.equal(200, status { token = signed.namespaced })
      assert.equal(200, status { token = signed.for_hub })
      for _, name in ipairs { "nothing", "silent", "forged", "reader" } do
        assert.equal(401, status { token = signed[name] }, name)
      end
      assert.equal(401, status { headers = {} })
      assert.equal(401, status { headers = { authorization = "Basic YTpi" },
                                 cookie = "mercureAuthorization=" .. signed.all })
      assert.same({ "x", "x", "x" }, data_of(subscribe(BOOK, { query = "lastEventID=earliest" })))
    end)

    it("is refused where a field cannot be read, which may be the one that makes it private", function()
      local tab = subscribe "*"
      for _, field in ipairs { "private=%00", "private=%zz", "data=%zz", "topic=%zz", "x=%" } do
        local body = ("topic=%s&data=secret&%s"):format(escape(BOOK), field)
        local headers = bearer(signed.all)
        headers["content-type"] = FORM
        assert.equal(400, world:request("POST", HUB, { headers = headers, body = body }).status, field)
      end
      assert.same({}, tab:events())
    end)

    it("needs the claim to name every topic, of public updates too", function()
      local function status(...)
        local fields = { { "data", "x" } }
        for i, topic in ipairs { ... } do fields[i + 1] = { "topic", topic } end
        return post(fields, { token = signed.books }).status
      end
      assert.equal(200, status(BOOK, "books"))
      assert.equal(401, status(BOOK, OTHER))
      assert.equal(401, status "https://example.com/books/1/pages")
    end)

    it("takes the token from a cookie of a page that may publish", function()
      world:close()
      load { MERCURE_PUBLISH_ORIGINS = "https://app.example, https://other.example" }
      local function status(origin)
        return post({ { "topic", BOOK } },
          { headers = { origin = origin }, cookie = "mercureAuthorization=" .. signed.all }).status
      end
      assert.equal(200, status "https://other.example")
      assert.equal(403, status "https://evil.example")
      assert.equal(200, status(nil))
    end)

    it("refuses what is no update", function()
      local function said(...)
        local answer = post({ ... })
        return answer.status .. " " .. answer.body
      end
      local topic = { "topic", BOOK }
      assert.equal('400 Missing "topic" parameter\n', said({ "data", "x" }))
      assert.equal('400 Invalid "topic" parameter\n', said({ "topic", "" }))
      assert.equal('400 Invalid "retry" parameter\n', said(topic, { "retry", "soon" }))
      for _, id in ipairs { "a\nevent: forged", "a\rb", "#1", "earliest", ("x"):rep(257) } do
        assert.equal('400 Invalid "id" parameter\n', said(topic, { "id", id }))
      end
      assert.equal('400 Invalid "type" parameter\n', said(topic, { "type", "a\nid: 1" }))
      assert.equal("400 The topics are too long\n", said({ "topic", ("x"):rep(4097) }))
      assert.equal(400, post({ topic }, { type = "application/json" }).status)
    end)

    it("refuses the hub's own topics, for who could forge subscription events", function()
      for _, topic in ipairs { HUB .. "/subscriptions/x/y", "https://example.com" .. HUB .. "/subscriptions/x/y" } do
        assert.equal(403, post({ { "topic", topic } }).status)
      end
    end)
  end)

  describe("subscribing", function()
    before_each(function() load() end)

    it("selects by name, by template and by star", function()
      local tabs = { subscribe(BOOK), subscribe(BOOKS), subscribe "*", subscribe { OTHER, "x" } }
      publish(BOOK, "book")
      publish("https://example.com/books/1/2", "page")
      publish(OTHER, "film")
      local came = {}
      for i, tab in ipairs(tabs) do came[i] = table.concat(data_of(tab), " ") end
      assert.same({ "book", "book", "book page film", "film" }, came)
    end)

    it("hears once of an update that several of its selectors, or alternate topics, match", function()
      local tab = subscribe { BOOK, BOOKS, "*" }
      assert.equal(200, post({ { "topic", OTHER }, { "topic", BOOK }, { "data", "both" } }).status)
      assert.same({ "both" }, data_of(tab))
      assert.same({}, data_of(subscribe "https://example.com/none"))
    end)

    it("takes what is no template as a name", function()
      local tab = subscribe "a {b"
      publish("a {b", "x")
      assert.same({ "x" }, data_of(tab))
    end)

    it("needs a topic, and not too much of anything", function()
      assert.equal(400, world:connect(HUB).status)
      assert.equal(400, subscribe(("x"):rep(4096)).status)
      assert.equal(400, subscribe({ "x" }, { token = signed.long }).status)
      assert.equal(400, subscribe({ "x" }, { token = signed.many }).status)
      assert.equal(200, subscribe({ ("{a}"):rep(32), ("{b}"):rep(32) }).status)
      local names = {}
      for i = 1, 100 do names[i] = "t" .. i end
      assert.equal(200, subscribe(names).status)
      assert.equal(400, subscribe(names, { token = signed.reader }).status) -- its own count, too
    end)

    it("is for everybody where that is said, for who has a token else", function()
      assert.equal(200, subscribe(BOOK).status)
      assert.equal(401, subscribe(BOOK, { token = signed.forged }).status)
      assert.equal(401, subscribe(BOOK, { token = signed.past }).status)
      world:close()
      load { MERCURE_ANONYMOUS = false }
      assert.equal(401, subscribe(BOOK).status)
      assert.equal(401, subscribe(BOOK, { token = signed.all }).status)
      assert.equal(200, subscribe(BOOK, { token = signed.stranger }).status)
    end)

    it("takes the token from the header, the query, the cookie, in this order", function()
      world:close()
      load { MERCURE_ANONYMOUS = false }
      local function status(header, query, cookie)
        local tab = subscribe(BOOK, { headers = header and { authorization = header },
          query = query and "authorization=" .. query, cookie = cookie and "mercureAuthorization=" .. cookie })
        if tab.status == 200 then tab:close() end
        return tab.status
      end
      local good, bad = signed.reader, signed.forged
      assert.same({ 200, 200, 200 }, { status("Bearer " .. good), status(nil, good), status(nil, nil, good) })
      assert.same({ 401, 401, 401 }, { status("Bearer " .. bad), status(nil, bad), status(nil, nil, bad) })
      assert.same({ 200, 401 }, { status("Bearer " .. good, bad), status("Bearer " .. bad, good) })
      assert.same({ 200, 401, 401 }, { status(nil, good, bad), status(nil, bad, good), status("Basic x", good, good) })
    end)

    it("counts as the user that its token's `sub` names, and as nobody's without one", function()
      for _ = 1, 4 do assert.equal(200, subscribe(BOOK).status) end
      local status = {}
      for i = 1, 4 do status[i] = subscribe(BOOK, { token = signed.reader }).status end
      assert.same({ 200, 200, 200, 503 }, status)
    end)

    it("ends with the token", function()
      local tab = subscribe(BOOK, { token = signed.short })
      world:advance(50)
      assert.is_true(tab:is_open())
      world:advance(60)
      assert.is_false(tab:is_open())
      assert.equal("expired", tab:events()[1].type)
    end)

    it("begins without an event of its own, and beats without one", function()
      local tab = subscribe(BOOK)
      world:advance(120)
      assert.same({}, tab:events())
      assert.equal("text/event-stream", tab.headers["content-type"])
    end)

    it("is for pages of listed origins, with credentials", function()
      world:close()
      load { MERCURE_CORS_ORIGINS = "https://app.example" }
      local function at(origin) return subscribe(BOOK, { headers = { origin = origin } }) end
      local tab = at "https://app.example"
      assert.same({ "https://app.example", "true" },
        { tab.headers["access-control-allow-origin"], tab.headers["access-control-allow-credentials"] })
      assert.equal(403, at("https://evil.example").status)
      local flight = world:request("OPTIONS", HUB, { headers = {
        origin = "https://app.example", ["access-control-request-method"] = "GET",
        ["access-control-request-headers"] = "authorization,cache-control",
      } })
      assert.equal("authorization,cache-control", flight.headers["access-control-allow-headers"])
    end)
  end)

  describe("private updates", function()
    before_each(function() load() end)

    it("go to who asked for them and whose claim names them", function()
      local reader, nobody = subscribe("*", { token = signed.reader }), subscribe "*"
      local stranger = subscribe("*", { token = signed.stranger })
      local elsewhere = subscribe(OTHER, { token = signed.reader })
      local odd = subscribe("*", { token = signed.odd })
      publish(BOOK, "private", { private = "on" })
      publish(BOOK, "also private", { private = "" })
      publish(OTHER, "of others", { private = "on" })
      publish(BOOK, "public")
      assert.same({ "private", "also private", "public" }, data_of(reader))
      for _, tab in ipairs { stranger, nobody, odd } do assert.same({ "public" }, data_of(tab)) end
      assert.same({}, data_of(elsewhere))
    end)

    it("are not those of another query than the claim's template has", function()
      local tab = subscribe("*", { token = signed.pages })
      publish(BOOK .. "?page=2", "page", { private = "on" })
      publish(BOOK .. "?draft=2", "draft", { private = "on" })
      publish(BOOK .. "?page=2&draft=2", "both", { private = "on" })
      assert.same({ "page" }, data_of(tab))
    end)

    it("may be named by one topic and asked for by another", function()
      local tab = subscribe(OTHER, { token = signed.reader })
      assert.equal(200, post({ { "topic", OTHER }, { "topic", BOOK }, { "data", "x" }, { "private", "on" } }).status)
      assert.same({ "x" }, data_of(tab))
    end)

    it("are not replayed to others either", function()
      local id = publish(BOOK, "public")
      publish(BOOK, "private", { private = "on" })
      assert.same({}, data_of(subscribe("*", { last_event_id = id })))
      assert.same({ "private" }, data_of(subscribe("*", { last_event_id = id, token = signed.reader })))
      assert.same({ "public" }, data_of(subscribe("*", { last_event_id = "earliest" })))
    end)

    it("are decided for each subscriber by what its own token says, however alike they ask", function()
      local tabs = {}
      for i, token in ipairs { signed.reader, signed.stranger, signed.reader, signed.watcher } do
        tabs[i] = subscribe("*", { token = token })
      end
      for n = 1, 3 do
        publish(BOOK, "book " .. n, { private = "on" })
        publish(OTHER, "film " .. n, { private = "on" })
      end
      local books = { "book 1", "book 2", "book 3" }
      assert.same({ books, {}, books, {} },
        { data_of(tabs[1]), data_of(tabs[2]), data_of(tabs[3]), data_of(tabs[4]) })
    end)
  end)

  describe("reconnecting", function()
    local ids

    before_each(function()
      load()
      ids = {}
      for i = 1, 3 do ids[i] = publish(BOOK, "book " .. i) end
    end)

    it("goes on behind the last event, said by header or query", function()
      for _, options in ipairs { { last_event_id = ids[1] }, { query = "lastEventID=" .. ids[1] },
                                 { query = "Last-Event-ID=" .. ids[1] }, { query = "lastEventId=" .. ids[1] } } do
        local tab = subscribe("*", options)
        assert.equal(ids[1], tab.headers["last-event-id"])
        assert.same({ "book 2", "book 3" }, data_of(tab))
      end
    end)

    it("gets all there is for `earliest`", function()
      assert.same({ "book 1", "book 2", "book 3" }, data_of(subscribe("*", { query = "lastEventID=earliest" })))
    end)

    it("is told by the header that its id is not known", function()
      local tab = subscribe("*", { last_event_id = "urn:lost" })
      assert.same({ "earliest", {} }, { tab.headers["last-event-id"], tab:events() })
      assert.is_nil(subscribe("*").headers["last-event-id"])
    end)

    it("works over more than a queue holds, and over a reload", function()
      for i = 4, 600 do publish(BOOK, "book " .. i) end
      world:reload "rules/mercure.lua"
      assert.equal(599, #subscribe("*", { last_event_id = ids[1] }):events())
    end)

    it("keeps what was asked for, and by whom, over a reload", function()
      local reader, nobody = subscribe(BOOK, { token = signed.reader }), subscribe { BOOK, OTHER }
      world:reload "rules/mercure.lua"
      publish(BOOK, "private", { private = "on" })
      publish(OTHER, "film")
      assert.same({ { "private" }, { "film" } }, { data_of(reader), data_of(nobody) })
    end)
  end)

  describe("subscriptions", function()
    before_each(function() load { MERCURE_SUBSCRIPTIONS = "true" } end)

    local function get(path, token, headers)
      headers = headers or {}
      headers.authorization = token and "Bearer " .. token
      return world:request("GET", HUB .. "/subscriptions" .. path, { headers = headers })
    end

    it("are told of when they begin and end, to who may know", function()
      local watcher, nobody = subscribe("*", { token = signed.watcher }), subscribe "*"
      assert.equal(1, #watcher:events()) -- of the other, not of its own
      local tab = subscribe({ BOOK, BOOKS }, { token = signed.reader })
      tab:close()
      local told = data_of(watcher)
      assert.equal(5, #told)
      local first, last = json.decode(told[2]), json.decode(told[5])
      assert.same({ "https://mercure.rocks/", "Subscription", BOOK, true, { name = "Ann" } },
        { first["@context"], first.type, first.topic, first.active, first.payload })
      assert.truthy(first.subscriber:find "^urn:uuid:")
      assert.equal(HUB .. "/subscriptions/" .. escape(BOOK) .. "/" .. escape(first.subscriber), first.id)
      assert.same({ BOOKS, false, first.subscriber }, { last.topic, last.active, last.subscriber })
      assert.same({}, data_of(nobody))
    end)

    it("are listed, of all topics and of one", function()
      local id = publish(BOOK, "x")
      subscribe({ BOOK, OTHER }, { token = signed.reader })
      local answer = get("", signed.watcher)
      assert.same({ 200, "application/ld+json" }, { answer.status, answer.headers["content-type"] })
      local list = json.decode(answer.body)
      assert.same({ "https://mercure.rocks/", HUB .. "/subscriptions", "Subscriptions", 2 },
        { list["@context"], list.id, list.type, #list.subscriptions })
      assert.not_equal(id, list.lastEventID) -- the subscription's own event came after
      local one = list.subscriptions[1]
      assert.same({ BOOK, true, { name = "Ann" } }, { one.topic, one.active, one.payload })
      list = json.decode(get("/" .. escape(OTHER), signed.watcher).body)
      assert.same({ 1, OTHER }, { #list.subscriptions, list.subscriptions[1].topic })
      assert.same({}, json.decode(get("/none", signed.watcher).body).subscriptions)
    end)

    it("are shown one by one", function()
      subscribe({ BOOK }, { token = signed.reader })
      local one = json.decode(get("", signed.watcher).body).subscriptions[1]
      local answer = world:request("GET", one.id, { headers = bearer(signed.watcher) })
      local shown = json.decode(answer.body)
      assert.same({ 200, one.subscriber, "https://mercure.rocks/" },
        { answer.status, shown.subscriber, shown["@context"] })
      assert.truthy(shown.lastEventID:find "^urn:uuid:")
      assert.equal(404, get("/" .. escape(OTHER) .. "/" .. escape(one.subscriber), signed.watcher).status)
      assert.equal(404, get("/" .. escape(BOOK) .. "/urn%3Auuid%3Ano", signed.watcher).status)
    end)

    it("are shown to whose claim names their address", function()
      local path = "/" .. escape(BOOK)
      for _, token in ipairs { "", signed.forged, signed.all, signed.reader } do
        assert.equal(401, get("", token).status)
      end
      assert.same({ 200, 401, 401 }, { get(path, signed.of_book).status, get("", signed.of_book).status,
        get("/" .. escape(OTHER), signed.of_book).status })
    end)

    it("have a tag that changes with the last event", function()
      local first = get("", signed.watcher)
      assert.equal('"earliest"', first.headers.etag)
      local unchanged = get("", signed.watcher, { ["if-none-match"] = first.headers.etag })
      assert.same({ 304, "" }, { unchanged.status, unchanged.body or "" })
      publish(BOOK, "x", { id = 'a"b' })
      local second = get("", signed.watcher, { ["if-none-match"] = first.headers.etag })
      assert.same({ 200, '"a%22b"' }, { second.status, second.headers.etag })
    end)

    it("are there for many", function()
      for _ = 1, 450 do subscribe(BOOK) end
      local answer = get("", signed.watcher)
      world:advance(1)
      assert.equal(450, #json.decode(answer:result().body).subscriptions)
    end)

    it("survive a reload, with their names", function()
      subscribe(BOOK)
      local before = json.decode(get("", signed.watcher).body).subscriptions
      world:reload "rules/mercure.lua"
      assert.same(before, json.decode(get("", signed.watcher).body).subscriptions)
    end)
  end)

  it("has the settings that its page says it has", function()
    local function names(text)
      local found, list = {}, {}
      for name in text:gmatch "MERCURE_%u[%u_]*%u" do
        local whole = not name:find "SUBSCRIBER$" and not name:find "PUBLISHER$"
        if not found[name] and whole then list[#list + 1] = name end
        found[name] = true
      end
      table.sort(list)
      return list
    end
    local rule = tree.read("rules/mercure.lua")
    for _, who in ipairs { "PUBLISHER", "SUBSCRIBER" } do
      rule = rule .. (" MERCURE_%s_JWT_KEY MERCURE_%s_JWT_ALG"):format(who, who)
    end
    assert.same(names(rule), names(tree.read "docs/mercure.md"))
  end)

  it("has no subscriptions where nobody asked for them", function()
    load()
    local watcher = subscribe("*", { token = signed.watcher })
    subscribe(BOOK)
    assert.same({}, watcher:events())
    assert.equal(404, world:request("GET", HUB .. "/subscriptions", { headers = bearer(signed.watcher) }).status)
  end)
end)
