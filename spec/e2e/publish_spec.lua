-- Publishing to a running server: by HTTP clients, by `sluice publish`, over a reload and a drain, into a recording.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local json = require "cjson.safe"
local proc = require "spec.support.proc"
local sse  = require "spec.support.sse"
local tree = require "spec.support.tree"
local wait = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local time   = require "sluice.time"
local app = sluice.app "board"
local all = app:topic("all", { history = { size = 1000, ttl = 60 } })
app:stream("events", { path = "/events", topics = function() return all() end })
local mutations = app:ingest("mutations", { path = "/publish",
  authorize = sluice.bearer(sluice.env("PUBLISH_KEY", "the-key")) })
mutations:on("moved", function(ev) all():emit("moved", ev.data, { user = ev.user, tag = ev.tag }) return ev.topics end)
mutations:on("read", function(ev) ev:json() end)
mutations:on("slow", function(ev)
  time.sleep(0.3)
  all():emit("slow", ev.data)
end)
]]

local BEARER = { authorization = "Bearer the-key" }

local function start(more)
  local options = { rules = RULES }
  for name, value in pairs(more or {}) do options[name] = value end
  return e2e.server(options)
end

local function follow(server)
  local stream = sse.open(server.address)
  stream:next "ready"
  return stream
end

local function publish(server, event, headers)
  local sent = { authorization = BEARER.authorization }
  for name, value in pairs(headers or {}) do sent[name] = value end
  return http.post(server.address, "/publish", { json = event, headers = sent })
end

describe("publishing", function()
  it("takes what is pipelined on one connection in order", function()
    local server = start()
    local stream, client = follow(server), http.connect(server.address)
    for i = 1, 200 do
      local event = { type = i % 50 == 0 and "slow" or "moved", data = tostring(i) }
      client:start { method = "POST", path = "/publish", json = event, headers = BEARER }
    end
    local last
    for _ = 1, 200 do
      local answer = client:answer(10)
      assert.equal(200, answer.status)
      assert.not_equal(last, answer.json().cursor)
      last = answer.json().cursor
    end
    for i = 1, 200 do assert.equal(tostring(i), stream:next().data) end
    client:close()
    assert.equal(200, server:metric "sluice_publishes_total")
  end)

  it("takes what several connections bring side by side in order, under one key", function()
    local server = start()
    local stream, clients = follow(server), {}
    for i = 1, 20 do
      clients[i] = http.connect(server.address)
      local event = { type = i == 1 and "slow" or "moved", data = tostring(i), key = "k" }
      clients[i]:start { method = "POST", path = "/publish", json = event, headers = BEARER }
      wait.wait_until(function() return server:metric "sluice_requests_total" > i end, 5, "it to arrive")
    end
    for i = 1, 20 do assert.equal(200, clients[i]:answer().status) end
    for i = 1, 20 do assert.equal(tostring(i), stream:next().data) end
    for i = 1, 20 do clients[i]:close() end
  end)

  it("does once what is published twice, also by another connection after a reload", function()
    local server = start()
    local stream = follow(server)
    local first = publish(server, { type = "moved", id = "7", data = "x" }).json()
    assert.is_nil(first.duplicate)
    assert.equal(0, (e2e.run { "reload", "--admin", server.admin }))
    local again = publish(server, { type = "moved", id = "7", data = "x" }).json()
    assert.same({ first.cursor, true }, { again.cursor, again.duplicate })
    assert.equal(409, publish(server, { type = "moved", id = "7", data = "y" }).status)
    publish(server, { type = "moved", data = "z" })
    assert.same({ "x", "z" }, { stream:next().data, stream:next().data })
  end)

  it("goes on when its publisher has gone, so that it can ask again", function()
    local server = start()
    local stream, client = follow(server), http.connect(server.address)
    local slow = { type = "slow", id = "7", data = "x" }
    client:start { method = "POST", path = "/publish", json = slow, headers = BEARER }
    wait.wait_until(function() return server:metric "sluice_requests_total" >= 2 end, 5, "the publish to arrive")
    client:close()
    assert.is_true(publish(server, slow).json().duplicate)
    assert.equal("x", stream:next().data)
    assert.equal(1, server:metric "sluice_publishes_total")
  end)

  it("is answered before a server that is told to end does", function()
    local server = start()
    local client = http.connect(server.address)
    client:start { method = "POST", path = "/publish", json = { type = "slow", data = "x" }, headers = BEARER }
    wait.wait_until(function() return server:metric "sluice_requests_total" >= 1 end, 5, "the publish to arrive")
    server:stop()
    assert.equal(200, client:answer().status)
    client:close()
  end)

  it("is recorded without its key, and replayed", function()
    local server = start { env = { PUBLISH_KEY = "the-secret-key" } }
    local folder = e2e.folder()
    local path   = folder .. "/tape.jsonl"
    local command  = e2e.command { "record", "--admin", server.admin, "-o", path }
    local recorder = proc.spawn(command, { env = e2e.environment() })
    wait.wait_until(function()
      local file = io.open(path)
      local text = file and file:read "*a" or ""
      if file then file:close() end
      return text:find "\n"
    end, 5, "the recording to begin")
    local moved = { type = "moved", data = "x", user = "ann", tag = "a-tab-of-ann-0001" }
    assert.equal(200, publish(server, moved, { authorization = "Bearer the-secret-key" }).status)
    assert.equal(401, publish(server, { type = "moved", data = "no" }, { authorization = "Bearer nobody's" }).status)
    recorder:signal "TERM"
    assert.equal(0, recorder:wait())
    local text = tree.read(path)
    assert.is_nil(text:find("the-secret-key", 1, true))
    local rules = e2e.write(folder .. "/rules.lua", RULES) -- with another key than the server's
    local code, output = e2e.run({ "replay", path, "--expect", path, "--rules", rules })
    assert.same({ 0, "sluice replay: 1 triggers are the same, 0 missing, 0 new, 0 changed\n" }, { code, output })
    local edited = e2e.write(folder .. "/edited.lua", (RULES:gsub('emit%("moved", ev.data', 'emit("moved", "other"')))
    code, output = e2e.run({ "replay", path, "--expect", path, "--rules", edited })
    assert.equal(1, code)
    assert.truthy(output:find("other", 1, true))
  end)
end)

describe("sluice publish", function()
  local server, stream

  local function run(words, options)
    options = options or {}
    options.env = options.env or { SLUICE_KEY = "the-key" }
    local code, output = e2e.run({ "publish", unpack(words) }, options)
    return code, output
  end

  before_each(function()
    server = start()
    stream = follow(server)
  end)

  it("posts one event and prints the answer", function()
    local url = "http://" .. server.address .. "/publish"
    local code, output = run { "--url", url, "--type", "moved", "--data", '{"card": 7}', "--topic", "a" }
    assert.equal(0, code, output)
    local answer = assert(json.decode(output))
    assert.same({ 1, 1, { "a" } }, { answer.triggers, answer.subscribers, answer.result })
    assert.equal('{"card": 7}', stream:next().data)
    run { "--url", url, "--type", "moved", "--data", 'no "JSON"', "--id", "1" }
    assert.equal('no "JSON"', stream:next().data)
    local file = e2e.write(e2e.folder() .. "/data.json", "[1,\n2]\n")
    run { "--url", url, "--type", "moved", "--data", "@" .. file }
    assert.equal("[1,\n2]", stream:next().data)
    code, output = run { "--url", url, "--type", "moved", "--data", 'no "JSON"', "--id", "1" }
    assert.same({ 0, true }, { code, json.decode(output).duplicate })
  end)

  it("finds the ingest by the config, and the key in a file", function()
    local key = e2e.write(e2e.folder() .. "/key", "the-key\n")
    local socket = e2e.folder() .. "/socket"
    server = start { conf = ('listen = "unix:%s"'):format(socket) }
    stream = follow(server)
    local code, output = run({ "-c", server.conf, "--key-file", key, "--type", "moved", "--user", "ann" }, { env = {} })
    assert.equal(0, code, output)
    assert.equal("moved", stream:next().type)
    code, output = run { "-c", server.conf, "--ingest", "mutation", "--type", "moved" }
    assert.same({ 2, "sluice publish: no ingest has that name; there are: mutations (board)\n" }, { code, output })
  end)

  it("says what went wrong, by its exit code, too", function()
    local url = "http://" .. server.address .. "/publish"
    local code, output = run({ "--url", url, "--type", "moved" }, { env = { SLUICE_KEY = "wrong" } })
    assert.equal(1, code)
    assert.equal("unauthorized", json.decode(output).error.code)
    code, output = run({ "--url", url, "--type", "moved" }, { env = {} })
    assert.equal(1, code)
    assert.matches("}}\nsluice publish: no key was sent: it goes into SLUICE_KEY, or a file %(%-%-key%-file%)\n$",
      output)
    code, output = run { "--url", url, "--type", "read", "--data", "{" }
    assert.equal(1, code)
    assert.matches("}\n$", output)
    code, output = run { "--url", url, "--type", "gone" }
    assert.equal(1, code)
    assert.equal("event.type: nothing handles 'gone' here", json.decode(output).error.message)
    code, output = run { "--url", "http://127.0.0.1:1/publish", "--type", "moved" }
    assert.equal(2, code)
    assert.matches("^sluice publish: no answer from http://127.0.0.1:1/publish: ", output)
    code, output = run { "--url", url }
    assert.same({ 2, "sluice publish: it needs --type TYPE\n" }, { code, output })
    code, output = run { "--url", url, "--type", "t", "--data", "@/nowhere" }
    assert.same({ 2, "sluice publish: --data: /nowhere cannot be read\n" }, { code, output })
    code, output = run { "--url", url, "--type", "t", "--key-file", "/nowhere" }
    assert.same({ 2, "sluice publish: --key-file: /nowhere cannot be read\n" }, { code, output })
    code, output = run { "--tipe", "t" }
    assert.same({ 2, "sluice publish: unknown option '--tipe'; did you mean '--type'?; see sluice --help\n" },
      { code, output })
  end)
end)
