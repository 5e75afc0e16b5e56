-- `sluice tail`: a stream on the terminal, against a scripted server and against a real one.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local json     = require "cjson.safe"
local proc     = require "spec.support.proc"
local upstream = require "spec.support.upstream"
local wait     = require "spec.support.wait"

local TIME = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ"

local function start(words, options)
  return proc.spawn(e2e.command { "tail", unpack(words) }, { env = e2e.environment(), cwd = (options or {}).cwd })
end

describe("sluice tail", function()
  local source

  before_each(function() source = upstream.open() end)

  -- Answers requests by their number: what `answers` has for it, else with a stream.
  local function scripted(answers)
    source.answer = function() return answers[#source.requests] end
  end

  it("prints an event a line, and nothing of it can end the line or move the terminal", function()
    local tail = start { source.url .. "/events" }
    local link = source:next()
    assert.equal("text/event-stream", link.request.headers.accept)
    assert.is_nil(link.request.headers["last-event-id"])
    assert.is_nil(link.request.headers["x-sluice-admin"])
    link.conn:send ": a comment\n\nid: 7\nevent: card.moved\ndata: {\"a\":\"b\\\\c\"}\n\ndata: two\ndata: lines\n\n"
    link.conn:send "event: t\27[2J x\nid: a b\ndata: \27]0;title\7 \194\155 é\n\n"
    local first, second = tail:wait_line "(.*card.moved.*)", tail:wait_line "(.*message.*)"
    assert.matches("^" .. TIME .. "  card%.moved  7  {\"a\":\"b\\\\c\"}$", first)
    assert.matches("^" .. TIME .. "  message  7  two\\nlines$", second)
    local third = tail:wait_line '(.*"a b".*)'
    assert.truthy(third:find('  "t\\u001b[2J x"  "a b"  \\u001b]0;title\\u0007 \\u009b é', 1, true), third)
  end)

  it("prints objects with --json", function()
    local tail = start { "--json", source.url }
    source:next().conn:send 'id: 7\nevent: moved\ndata: {"a":\ndata: "b\\n"}\n\n'
    local event = assert(json.decode((tail:wait_line "({.*)")))
    assert.matches("^" .. TIME .. "$", event.time)
    event.time = nil
    assert.same({ type = "moved", id = "7", data = '{"a":\n"b\\n"}' }, event)
  end)

  it("comes back after the server's retry with the last id, also of what was no event", function()
    local tail = start { source.url, "-H", "Cookie: a=b", "-H", "X-Session-Tag: t", "--last-event-id", "first" }
    local link = source:next()
    assert.same({ "first", "a=b", "t" }, { link.request.headers["last-event-id"], link.request.headers.cookie,
      link.request.headers["x-session-tag"] })
    link.conn:send "retry: 150\n\nid: 7\ndata: x\n\nid: 8\n\ndata: cut"
    tail:wait_line "  x"
    local from = wait.now()
    link.conn:close()
    link = source:next()
    assert.is_true(wait.now() - from >= 0.14)
    assert.same({ "8", "a=b" }, { link.request.headers["last-event-id"], link.request.headers.cookie })
    tail:wait_line "sluice tail: the stream has ended; again in 0.15 s"
    link.conn:send "data: y\n\n"
    tail:wait_line "  message  8  y"
    assert.is_nil(tail:output():find("cut", 1, true))
  end)

  it("ends where it is not to come back, and says why by a sentence and its exit code", function()
    local cases = {
      { upstream.refusal(204), 0, "204: the stream is over, and is not to be asked for again" },
      { upstream.refusal(401, nil, '{"error":\n"who?"}\n'), 1,
        '401: who you are is not known: {"error":\\n"who?"}' },
      { upstream.refusal(403), 1, "403: you may not have it" },
      { upstream.refusal(404, nil, "no\27[2J"), 1, "404: refused: no\\u001b[2J" },
      { upstream.refusal(302, "Location: /elsewhere\r\n"), 1, "302: refused" },
      { upstream.refusal(200, "Content-Type: text/html\r\n", "<p>"), 1, "200: it is no stream, but text/html" },
      { upstream.refusal(200), 1, "200: it is no stream, but of no type" },
      { upstream.refusal(403, nil, ("x"):rep(100000)), 1, "403: you may not have it: " .. ("x"):rep(4096) },
    }
    for _, case in ipairs(cases) do
      source.answer = function() return case[1] end
      assert.same({ case[2], "sluice tail: " .. case[3] .. "\n" }, { e2e.run { "tail", source.url } })
    end
    assert.equal(#cases, #source.requests)
  end)

  it("tries again, and less often, where it was refused for now; after Retry-After where that is later", function()
    local stream = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\nretry: 100\n\n"
    scripted { stream, upstream.refusal(503), upstream.refusal(429, "Retry-After: 1\r\n", "later"),
               upstream.refusal(502) }
    local tail = start { source.url }
    source:request(1).conn:close()
    source:next(10).conn:send "data: x\n\n"
    tail:wait_line "  x"
    local said = {}
    for line in tail:output():gmatch "sluice tail: ([^\n]*)" do said[#said + 1] = line end
    assert.same({ "the stream has ended; again in 0.1 s", "503: again in 0.1 s", "429: again in 1 s: later",
      "502: again in 0.4 s" }, said)
  end)

  it("waits for a server that is away, if it was there before", function()
    local tail = start { source.url }
    source:next().conn:send "retry: 100\n\ndata: x\n\n"
    tail:wait_line "  x"
    source:stop()
    tail:wait_line "sluice tail: no answer from http.*; again in 0.2 s"
    source:start()
    source:next(10).conn:send "data: y\n\n"
    tail:wait_line "  y"
    source:stop()
    local code, output = e2e.run { "tail", source.url }
    assert.equal(2, code)
    assert.matches("^sluice tail: no answer from http://%S+: [^\n]*\n$", output)
  end)

  it("ends on Ctrl-C, with all printed that came", function()
    local tail = start { source.url }
    source:next().conn:send "data: x\n\n"
    tail:wait_line "  x"
    tail:signal "INT"
    assert.same({ nil, 2 }, { tail:wait() })
    assert.matches("^" .. TIME .. "  message  %-  x\n$", tail:output())
  end)

  it("finds a path on the config's first listener, a Unix socket, too", function()
    local socket = e2e.folder() .. "/socket"
    local server = e2e.server { conf = ('listen = "unix:%s"'):format(socket), rules = [[
      local app = require("sluice").app "a"
      local all = app:topic("all", { subscribe = false })
      app:stream("events", { path = "/events", topics = function() return all() end })
      app:route("say", "POST /say", { run = function(req) all():emit("said", req.body) return 204 end })
    ]] }
    local tail = start({ "/events?x=1", "-c", server.conf })
    tail:wait_line '  ready  %x+  {"resumed":false,"missed":'
    http.post("unix:" .. socket, "/say", { body = "hello" })
    tail:wait_line "  said  %x+  hello"
    tail:signal "INT"
    tail:wait()
    assert.same({ 2, "sse.lua.conf: cannot be read" }, (function()
      local code, output = e2e.run({ "tail", "/events" }, { cwd = e2e.folder() })
      return { code, output:match "^sse.lua.conf: cannot be read" or output }
    end)())
  end)

  it("says what is wrong with its words", function()
    local function fault(...) return { e2e.run { "tail", ... } } end
    local usage = "sluice tail: it needs the stream's URL, or its PATH on the config's first listener, as in: "
      .. "sluice tail /events\n"
    assert.same({ 2, usage }, fault())
    assert.same({ 2, usage }, fault "ftp://127.0.0.1/")
    assert.same({ 2, "sluice tail: -H takes a header such as 'Cookie: a=b', not 'Cookie'\n" },
      fault(source.url, "-H", "Cookie"))
    assert.same({ 2, "sluice tail: -H takes a header such as 'Cookie: a=b', not 'a: b\nc: d'\n" },
      fault(source.url, "-H", "a: b\nc: d"))
    assert.same({ 2, "sluice tail: --last-event-id: an id is one line\n" },
      fault(source.url, "--last-event-id", "a\nb"))
    assert.same({ 2, "sluice tail: '--json' is given twice; see sluice --help\n" },
      fault(source.url, "--json", "--json"))
    assert.equal(0, #source.requests)
  end)
end)
