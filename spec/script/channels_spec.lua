-- The page that `sluice docs` writes of a rule file: what it says of each declaration, in which order, and that no
-- text of a rule becomes Markdown. And the warning where what is emitted is none of the types that the page has.

local markdown = require "sluice.markdown"
local rules    = require "spec.support.rules"

describe("the channels page", function()
  local world

  after_each(function() world:close() end)

  local function page(text)
    world = rules.load(text)
    return world:channels()
  end

  -- What stands below a heading, to the next one of its depth or a higher one.
  local function below(text, heading)
    local depth = heading:match "^#+"
    local at, past = ("\n" .. text):find("\n" .. heading .. "\n", 1, true)
    assert.is_truthy(at, heading .. " is not in\n" .. text)
    local rest = text:sub(past)
    for line_at, marks in rest:gmatch "()\n(#+) " do
      if #marks <= #depth then return rest:sub(1, line_at) end
    end
    return rest
  end

  -- The right side of a row of facts, or nil.
  local function fact(section, name)
    for left, right in section:gmatch "\n| ([^\n|]*) | ([^\n]-) |%f[\n]" do
      if left == name then return right end
    end
  end

  it("says of a plain stream what every client has to know", function()
    local stream = below(page 'app:stream("events", { path = "/events" })', "### `GET /events`")
    assert.equal("everybody", fact(stream, "who may connect"))
    assert.equal("none, until the rules give it one", fact(stream, "topics"))
    assert.equal('`ready`: `{"resumed":…,"missed":…,"tag":…}`', fact(stream, "first event"))
    assert.equal("nothing that a page sees, after a silence of 20 s", fact(stream, "heartbeat"))
    assert.equal("after 2 s, with the last `id:` as `Last-Event-ID` or `?last_event_id=ID`; up to 300 triggers are "
      .. "sent again, more are one `resync`", fact(stream, "comes back"))
    assert.equal("by its status", fact(stream, "refuses"))
    assert.equal("256 triggers or 1 MiB may wait for a slow client, who else gets a `resync`", fact(stream, "limits"))
    assert.is_nil(fact(stream, "from other sites"))
  end)

  it("says of a stream all that its options say", function()
    local text = page [[
      local roles = sluice.roles { "viewer", "editor" }
      local who   = sluice.identity(function() end)
      local asked = app:topic("asked", { subscribe = function() return true end })
      app:stream("one", { path = "/one", about = "The first.", identity = roles:at_least("editor", who),
        topics = function() return asked() end, topics_max = 1, refusal = "retry", ready = "header", earliest = true,
        retry = 0, suppress = "client", lifetime = 3600, per_user = 4, per_address = 1, replay = 5,
        rate = { rate = 3, seconds = 60, per = "user" }, queue = { frames = 1, bytes = 5000 },
        heartbeat = { every = 30, event = "beat|", data = "{}", always = true },
        origins = { "https://a.example", "https://b.example" },
        query = { topic = { "t", "u" }, last_event_id = false } })
      app:stream("two", { path = "/two", identity = function() end, suppress = false, heartbeat = 0 })
      app:stream("three", { path = "/three", query = { topic = false } })
    ]]
    assert.equal("none, until the rules give it one", fact(below(text, "### `GET /three`"), "topics"))
    local one, two = below(text, "### `GET /one`"), below(text, "### `GET /two`")
    assert.truthy(one:find("\nThe first.\n", 1, true))
    assert.equal("whom the app knows (else 401) and lets in (else 403): with the role `editor`, or a higher one",
      fact(one, "who may connect"))
    assert.equal("those that the rules give it, and those that it asks for by `?t=NAME` or `?u=NAME` (once for "
      .. "each) and may have: if not all, it is refused; 1 topic at most", fact(one, "topics"))
    assert.matches("^none; the answer's `Last%-Event%-ID` says", fact(one, "first event"))
    assert.truthy(one:find("| the event `beat\\|` with the data `{}`, every 30 s, whatever else flows |\n", 1, true))
    assert.equal("with the last `id:` as `Last-Event-ID`; up to 5 triggers are sent again, more are one `resync`; "
      .. "the id `earliest` asks for all that there is", fact(one, "comes back"))
    assert.matches("^by 200, a `retry:` and the end", fact(one, "refuses"))
    assert.equal("sent with `session_tag` in the JSON, for the client to skip", fact(one, "own echo"))
    assert.equal("4 streams of one user; 1 stream of one address; 3 begun in 60 s, by one user; ends after 3600 s "
      .. "at the latest; 1 trigger or 5000 bytes may wait for a slow client, who else gets a `resync`",
      fact(one, "limits"))
    assert.equal("`https://a.example`, `https://b.example`", fact(one, "from other sites"))
    assert.equal("whom the app knows (else 401) and lets in (else 403)", fact(two, "who may connect"))
    assert.equal("none", fact(two, "heartbeat"))
    assert.equal("sent like any other trigger", fact(two, "own echo"))
    assert.matches("^those that it asks for", fact(two, "topics"))
  end)

  it("says of a topic who may have it, what is kept of it, and what is in each type", function()
    local text = page [[
      local function yes() return true end
      app:topic("user:{user}", { about = "A user's.", subscribe = sluice.owner "user", retain = { ttl = 60 },
        history = { size = 1, ttl = 2.5 }, limit = { rate = 5, burst = 9 }, id = "publisher",
        types = {
          ["b.type"] = { about = "The second.", fields = { z = "the last", a = "the first" } },
          ["a.type"] = { data = "a number" },
          plain      = {},
        } })
      app:topic("asked", { subscribe = yes, filter = yes, event = "topic", presence = { grace = 3, beat = 10 } })
      app:topic("given", { subscribe = false, audience = { ask = yes, ttl = 7 }, event = false })
      app:topic("made", { snapshot = yes })
      app:topic("both", { audience = { ask = yes }, filter = yes, retain = true })
    ]]
    local mine, asked = below(text, "### `user:{user}`"), below(text, "### `asked`")
    local given, both = below(text, "### `given`"), below(text, "### `both`")
    assert.equal("only the user whom `{user}` names", fact(mine, "who may ask for it"))
    assert.equal("every subscriber", fact(mine, "who gets a trigger"))
    assert.equal("the last 1 trigger, for 2.5 s", fact(mine, "kept"))
    assert.equal("get its last trigger, if it is not older than 60 s", fact(mine, "newcomers"))
    assert.equal("5 a second, 9 at once; what is above is not sent", fact(mine, "limit"))
    assert.equal("the publisher's", fact(mine, "`id:`"))
    assert.equal("the trigger's type", fact(mine, "`event:`"))
    local list = mine:sub((mine:find("#### ", 1, true)))
    assert.equal("#### `a.type`\n\nData: a number\n\n#### `b.type`\n\nThe second.\n\n| field | |\n|---|---|\n"
      .. "| `a` | the first |\n| `z` | the last |\n\n#### `plain`\n\n", list)
    assert.equal("whom the rules let in", fact(asked, "who may ask for it"))
    assert.equal("those of its subscribers whom the rules let see it, asked for each",
      fact(asked, "who gets a trigger"))
    assert.equal("the topic's name", fact(asked, "`event:`"))
    assert.equal("nothing: who was away gets a `resync`", fact(asked, "kept"))
    assert.equal("users are counted as there until 3 s after their last stream, and only while their page says so, "
      .. "every 10 s", fact(asked, "presence"))
    assert.truthy(asked:find("\nThe types of its triggers are not listed.\n", 1, true))
    assert.equal("nobody: the rules give it", fact(given, "who may ask for it"))
    assert.equal("those of its subscribers whom the rules let see it, which may be known for 7 s",
      fact(given, "who gets a trigger"))
    assert.equal("none: browsers call it `message`", fact(given, "`event:`"))
    assert.equal("those of its subscribers whom the rules let see it, which may be known for 10 s, and each is asked "
      .. "for besides", fact(both, "who gets a trigger"))
    assert.equal("get its last trigger", fact(both, "newcomers"))
    assert.equal("get its state as it stands", fact(below(text, "### `made`"), "newcomers"))
  end)

  it("says of ingests and routes where they are, who may, and what they take", function()
    local text = page [[
      local who = sluice.identity(function() end)
      local function on(ingest, ...) for _, type in ipairs { ... } do ingest:on(type, function() end) end end
      on(app:ingest("a", { path = "/a", about = "The app's.", authorize = sluice.bearer "k" }), "z", "a")
      on(app:ingest("b", { path = "/b", authorize = who, unknown = "ignore", batch_max = 1,
        idempotency = { size = 0 }, rate = { rate = 5, seconds = 60 } }), "only")
      on(app:ingest("c", { path = "/c", authorize = false }), "*", "one")
      on(app:ingest("d", { path = "/d", authorize = who, users = "any" }), "one")
      app:route("open", "POST /threads/{peer}/open", { about = "Opens\na | thread.", identity = who,
        run = function() return 204 end })
      app:route("free", "GET /free", { run = function() return 204 end })
    ]]
    local a, b = below(text, "### `POST /a`"), below(text, "### `POST /b`")
    local c, d = below(text, "### `POST /c`"), below(text, "### `POST /d`")
    assert.truthy(a:find("\nThe app's.\n", 1, true))
    assert.equal("whoever has the key: `Authorization: Bearer KEY`", fact(a, "who may publish"))
    assert.equal("whose the `user` field says", fact(a, "whose events"))
    assert.equal("`a`, `z`; others are an error (422)", fact(a, "event types"))
    assert.equal("up to 100 events; all are published or none", fact(a, "one request"))
    assert.equal("by the same `id`: done once, and answered as the first time, for 300 s", fact(a, "published twice"))
    assert.equal("whom the rules let in (else 401)", fact(b, "who may publish"))
    assert.equal("the publisher's own; an app's, whose the `user` field says", fact(b, "whose events"))
    assert.equal("`only`; others are passed over", fact(b, "event types"))
    assert.equal("up to 1 event; all are published or none", fact(b, "one request"))
    assert.is_nil(fact(b, "published twice"))
    assert.equal("5 events in 60 s, of one publisher", fact(b, "limit"))
    assert.is_nil(fact(a, "limit"))
    assert.equal("everybody", fact(c, "who may publish"))
    assert.equal("nobody's", fact(c, "whose events"))
    assert.equal("any other, `one`", fact(c, "event types"))
    assert.equal("whose the `user` field says", fact(d, "whose events"))
    local routes = below(text, "## Routes")
    assert.equal("\n| | | who may |\n|---|---|---|\n| `POST /threads/{peer}/open` | Opens a \\| thread. | whom the "
      .. "app knows (else 401) and lets in (else 403) |\n| `GET /free` |  | everybody |\n", routes)
  end)

  it("never has a key, nor anything else that the rules keep to themselves", function()
    local text = page [[
      app:ingest("a", { path = "/a", authorize = sluice.bearer { "the-secret", "another-secret" } }):on("x", print)
    ]]
    assert.is_nil(text:find "secret")
  end)

  it("is in the file's order, and in the names' where one line declares several", function()
    local text = page [[
      app:topic("z", { subscribe = false })
      local names = {}
      for i = 1, 40 do names["t" .. i] = true end
      for name in pairs(names) do app:topic(name, { subscribe = false }) end
      app:topic("a", { subscribe = false })
    ]]
    local got, want = {}, {}
    for name in text:gmatch "\n### `(%w+)`" do got[#got + 1] = name end
    for i = 1, 40 do want[i] = "t" .. i end
    table.sort(want)
    table.insert(want, 1, "z")
    table.insert(want, "a")
    assert.same(want, got)
    assert.equal(text, world:channels())
  end)

  it("shows texts as they are, whatever they hold", function()
    local text = page [=[
      app:topic("a`b|c", { subscribe = false,
        about = "# No <b>heading</b>\n\n- no *list* | [no](link) `no` code_\n\n1. &amp;",
        types = { ["x|`y`"] = { about = "1) not\n- three", fields = { ["f|g"] = "a | b\n# c", ["``"] = "\\d" } } } })
    ]=]
    local topic = below(text, "### ``a`b|c``")
    assert.truthy(topic:find("\n\\# No \\<b\\>heading\\</b\\>\n\n"
      .. "\\- no \\*list\\* \\| \\[no\\](link) \\`no\\` code\\_\n\n1\\. \\&amp;\n", 1, true), topic)
    assert.truthy(topic:find("\n#### `` x|`y` ``\n\n1\\) not - three\n", 1, true), topic)
    assert.truthy(topic:find("\n| ``` `` ``` | \\\\d |\n| `f\\|g` | a \\| b \\# c |\n", 1, true), topic)
  end)

  it("is of each app its own, and of the rules that run after a reload", function()
    page 'app:topic("before", { subscribe = false })'
    rules.reload(world, 'app:topic("after", { subscribe = false })')
    assert.truthy(world:channels():find("### `after`", 1, true))
    assert.is_nil(world:channels():find("before", 1, true))
    assert.matches("^# `demo`: channels\n", world:channels())
  end)
end)

describe("Markdown", function()
  it("has a fence around code that the code does not hold, and no control characters", function()
    assert.equal("`a`", markdown.code "a")
    assert.equal("``a`b``", markdown.code "a`b")
    assert.equal("`` `a ``", markdown.code "`a")
    assert.equal("`` a` ``", markdown.code "a`")
    assert.equal("```a``b`c```", markdown.code "a``b`c")
    assert.equal("`  a  `", markdown.code " a ")
    assert.equal("`\\x1b[31m\\x0a`", markdown.code "\27[31m\n")
    assert.equal("`a\\|b`", markdown.cell "a|b")
  end)

  it("has people's words in paragraphs, and on one line of a table", function()
    assert.equal("one two\n\nthree", markdown.prose "  one\n two  \n \n\n  three\n")
    assert.equal("one two three", markdown.line "one\n\ntwo\tthree ")
    assert.equal("\\+ one\n\n\\=== two", markdown.prose "+ one\n\n=== two")
    assert.equal("a + b - c = 1. 2)", markdown.prose "a + b - c = 1. 2)")
    assert.equal("\\~\\~\\$x\\$\\~\\~", markdown.prose "~~$x$~~")
  end)
end)

describe("a type that its topic does not list", function()
  local RULES = [[
    local listed = app:topic("listed:{n}", { subscribe = false, types = { known = {} } })
    local none   = app:topic("none", { subscribe = false, types = {} })
    local free   = app:topic("free", { subscribe = false })
    app:stream("events", { path = "/events", topics = function() return { listed "1", none(), free() } end })
    app:route("say", "POST /say/{topic}/{type}", { run = function(_, params)
      local topic = params.topic == "none" and none() or params.topic == "free" and free() or listed(params.topic)
      topic:emit(params.type)
      return 204
    end })
  ]]
  local world, tab

  before_each(function()
    world = rules.load(RULES)
    tab = world:connect "/events"
  end)

  after_each(function() world:close() end)

  local function say(topic, type) assert.equal(204, world:request("POST", "/say/" .. topic .. "/" .. type).status) end

  -- In the log since the last time; and that.
  local function warnings()
    local found, log = {}, world:log()
    for line in log:gmatch "[^\n]+" do
      local topic, type = line:match '=warn msg="a type that its topic does not list" app=demo topic=(%S+) type=(%S+)'
      if topic then found[#found + 1] = topic .. " " .. type end
    end
    return found, log
  end

  it("goes out, and is logged once a type and declaration", function()
    for _ = 1, 3 do
      say("1", "known")
      say("1", "unknown")
      say("2", "unknown")
      say("none", "unknown")
      say("free", "whatever")
    end
    say("1", "other")
    local found, log = warnings()
    assert.same({ "listed:{n} unknown", "none unknown", "listed:{n} other" }, found)
    assert.matches("type=other declared=%S*rules%.lua:2\n", log)
    assert.same({ "known", "unknown", "unknown", "whatever" }, { unpack(tab:types(), 1, 4) })
    assert.equal(13, #tab:types())
  end)

  it("is logged again after a reload", function()
    say("1", "unknown")
    rules.reload(world, RULES)
    say("1", "unknown")
    assert.same({ "listed:{n} unknown", "listed:{n} unknown" }, warnings())
  end)

  it("is logged for a hundred of them, and then once more that there are others", function()
    for i = 1, 110 do say("1", "u" .. i) end
    local found, log = warnings()
    local _, more = log:gsub('level=warn msg="more types that their topics do not list', "")
    assert.same({ 100, 1 }, { #found, more })
  end)
end)
