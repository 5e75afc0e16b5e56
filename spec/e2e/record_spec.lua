-- A session of the chat is recorded and replayed: the same rules give the same triggers, edited ones show what they
-- change, and nothing in the file is a secret.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local proc = require "spec.support.proc"
local sse  = require "spec.support.sse"
local stat = require "posix.sys.stat"
local tcp  = require "spec.support.tcp"
local tree = require "spec.support.tree"
local wait = require "spec.support.wait"

local RULES = { e2e.root .. "/rules/posta.lua", e2e.root .. "/spec/fixtures/door.lua" }
-- What must stand in no recording, in any spelling.
local SECRETS = { "hunter2", "cookie-of-ann", "token/of", "token%2Fof", "token\\/of", "access-of", "0123456789",
  "wrong password", "wrong+password", "wrong%20password" }
local BOB   = "https:%2F%2Fposta.no%2F@bob"

local function start(options)
  local posta = e2e.server { rules = { ["posta.lua"] = "spec/fixtures/posta_server.lua" } }
  options = options or {}
  options.rules = { ["a.lua"] = "rules/posta.lua", ["b.lua"] = "spec/fixtures/door.lua" }
  options.env   = { POSTA_URL = "http://" .. posta.address, KEY = "open sesame" }
  return e2e.server(options), posta
end

local function record(chat, path, more)
  local words = { "record", "--admin", chat.admin, "-o", path }
  for _, word in ipairs(more or {}) do words[#words + 1] = word end
  local recorder = proc.spawn(e2e.command(words), { env = e2e.environment { SLUICE_ADMIN_KEY = "open sesame" } })
  wait.wait_until(function()
    local file = io.open(path)
    local text = file and file:read "*a" or ""
    if file then file:close() end
    return text:find "\n" or not recorder:alive()
  end, 5, "the recording to begin")
  return recorder
end

local function stop(recorder)
  recorder:signal "TERM"
  return recorder:wait(), recorder:output()
end

local function replay(path, rules, more)
  local words = { "replay", path }
  for _, word in ipairs(more or {}) do words[#words + 1] = word end
  words[#words + 1] = "--rules"
  for _, file in ipairs(rules or RULES) do words[#words + 1] = file end
  return e2e.run(words)
end

local function tag_of(name) return name .. ("-"):rep(16) end

local function try_password(chat, user, password)
  return http.post(chat.address, "/login", {
    headers = { ["content-type"] = "application/x-www-form-urlencoded" },
    body    = ("user=%s&password=%s"):format(user, password),
  })
end

-- Returns the cookie.
local function log_in(chat, user)
  return try_password(chat, user, "hunter2+of+" .. user).headers["set-cookie"]:match "^[^;]+"
end

local function open(chat, cookie, name, last_event_id)
  local tab = sse.open(chat.address, { headers = { cookie = cookie, ["x-session-tag"] = tag_of(name) },
                                       last_event_id = last_event_id })
  tab:next "ready"
  return tab
end

local function say(posta, to, row, more)
  local message = { peer = "https://posta.no/@bob", rowId = row }
  for name, value in pairs(more or {}) do message[name] = value end
  assert.equal(204, http.post(posta.address, "/say/" .. to, { json = message }).status)
end

-- Two tabs, messages, a thread that is opened, a cut and its resume, a restart of the posta server.
local function session(chat, posta)
  local cookie = log_in(chat, "ann")
  local one, two = open(chat, cookie, "one"), open(chat, cookie, "two")
  wait.wait_until(function() return chat:metric "sluice_links_opened_total" == 1 end, 5, "the link")
  say(posta, "ann", 1)
  one:next "contact-changed"
  two:next "contact-changed"
  local opened = http.post(chat.address, "/threads/" .. BOB .. "/open",
    { headers = { cookie = cookie, ["x-session-tag"] = tag_of "one" }, json = { rowId = 1 } })
  assert.equal(204, opened.status)
  two:wait_count("contact-changed", 2)
  say(posta, "ann", 2, { session_tag = tag_of "one" })
  two:wait_count("contact-changed", 4)
  two:close()
  say(posta, "ann", 3, { type = "outbound-state" })
  one:wait_count("contact-changed", 5)
  two = open(chat, cookie, "two", two.last_id())
  two:next "thread-updated"
  local resyncs = one:count "resync"
  posta:kill()
  posta:start(true)
  one:wait_count("resync", resyncs + 1, 15)
  wait.wait_until(function() return posta:ready().subscribers == 1 end, 5, "the link to be back")
  wait.pass(0.2)
  say(posta, "ann", 4)
  two:wait_count("thread-updated", 2)
  wait.pass(0.2)
  assert.equal(403, try_password(chat, "ann", "wrong+password").status)
  one:close()
end

describe("sluice record", function()
  local folder, path

  before_each(function()
    folder = e2e.folder()
    path   = folder .. "/session.jsonl"
  end)

  it("records a session that a replay repeats, and no secret", function()
    local chat, posta = start()
    local recorder    = record(chat, path)
    session(chat, posta)
    local code, output = stop(recorder)
    assert.equal(0, code, output)
    assert.matches("%d+ entries, [%d.]+ s, in " .. path:gsub("%p", "%%%0"), output)
    assert.equal("rw-------", stat.stat(path).st_mode and ("%s"):format(
      io.popen("stat -c %A " .. path):read "*l"):sub(2))

    local text = tree.read(path)
    for _, secret in ipairs(SECRETS) do
      assert.is_nil(text:find(secret, 1, true), secret)
    end
    assert.is_truthy(text:find('"what":"over","why":"its reader ended it"}\n$'))

    for _ = 1, 3 do
      code, output = replay(path, RULES, { "--expect", path })
      assert.equal(0, code, output .. text)
      assert.matches("%d%d triggers are the same, 0 missing, 0 new, 0 changed", output)
      assert.is_nil(output:find("not in the recording", 1, true), output)
      assert.is_nil(output:find("was answered", 1, true), output)
    end

    local handler = '("read%-watermark%-changed", function%(ev%) mine%(ev.key%):emit%()"contact%-changed"'
    local edited  = tree.read(RULES[1]):gsub(handler, '%1"row-read"')
    code, output = replay(path, { e2e.write(folder .. "/edited.lua", edited), RULES[2] }, { "--expect", path })
    assert.equal(1, code, output)
    local was, now = {}, {}
    for line in output:gmatch "[^\n]+" do
      if line:find "^%-" then was[#was + 1] = line:match "^%- +[%d.]+  (.*)$" end
      if line:find "^%+" then now[#now + 1] = line:match "^%+ +[%d.]+  (.*)$" end
    end
    local _, events = text:gsub('"type":"read%-watermark%-changed"', "")
    assert.is_true(events >= 3)
    assert.equal(events, #was)
    for i = 1, events do
      assert.equal("user:ann  contact-changed  https://posta.no/@bob", was[i])
      assert.equal("user:ann  row-read  https://posta.no/@bob", now[i])
    end
    assert.matches("%d+ triggers are the same, 0 missing, 0 new, " .. events .. " changed", output)

    code, output = replay(path, RULES, { "--json" })
    assert.equal(0, code)
    local earlier = e2e.write(folder .. "/earlier.jsonl", (output:gsub("sluice replay:[^\n]*\n", "")))
    assert.equal(0, (replay(path, RULES, { "--expect", earlier })))
  end)

  it("writes over no file, and records for one reader at a time", function()
    local chat = start()
    local recorder = record(chat, path)
    local code, output = e2e.run { "record", "--admin", chat.admin, "-o", path }
    assert.same({ 2, "sluice record: " .. path .. ": is there already, and is not written over\n" }, { code, output })
    code, output = e2e.run { "record", "--admin", chat.admin, "-o", folder .. "/second.jsonl" }
    assert.same({ 1, "sluice: A recording is under way; one at a time.\n" }, { code, output })
    assert.is_nil(stat.stat(folder .. "/second.jsonl"))
    assert.equal(0, (stop(recorder)))
    code, output = e2e.run { "record", "--admin", chat.admin, "--for", "0.2" }
    assert.equal(0, code, output)
    assert.matches('^{"t":0,"what":"recording","version":1,', output)
    assert.equal(2, (e2e.run { "record", "--admin", chat.admin, "--for", "soon" }))
    assert.equal(2, (e2e.run { "record", "--admin", "127.0.0.1:1", "-o", folder .. "/third.jsonl" }))
    assert.is_nil(stat.stat(folder .. "/third.jsonl"))
  end)

  it("asks for the key where there is one, and for the header that no page can send", function()
    local keyed = start { conf = 'admin_key = env "KEY"' }
    assert.equal(401, http.get(keyed.admin, "/record").status)
    local recorder = record(keyed, path)
    assert.equal(0, (stop(recorder)))
    local open_one = start()
    assert.equal(403, http.get(open_one.admin, "/record").status)
    assert.equal(200, http.request(open_one.admin, { method = "HEAD", path = "/record",
                                                     headers = { ["X-Sluice-Admin"] = "1" } }).status)
  end)

  it("begins amid open streams, whose ends and links it has, and a replay repeats it", function()
    local chat, posta = start()
    local cookie      = log_in(chat, "ann")
    local one, two    = open(chat, cookie, "one"), open(chat, cookie, "two")
    wait.wait_until(function() return posta:ready().subscribers == 1 end, 5, "the link")
    say(posta, "ann", 1)
    one:next "contact-changed"
    two:next "contact-changed"

    local recorder = record(chat, path)
    say(posta, "ann", 2)
    two:wait_count("contact-changed", 2)
    two:close()
    say(posta, "ann", 3)
    one:wait_count("contact-changed", 3)
    two = open(chat, cookie, "two", two.last_id())
    two:next "contact-changed"
    say(posta, "ann", 4, { type = "outbound-state" })
    one:wait_count("contact-changed", 4)
    local resyncs = one:count "resync"
    posta:kill()
    posta:start(true)
    one:wait_count("resync", resyncs + 1, 15)
    wait.wait_until(function() return posta:ready().subscribers == 1 end, 5, "the link to be back")
    one:close()
    wait.pass(0.2)
    say(posta, "ann", 5)
    two:wait_count("contact-changed", 3)
    wait.pass(0.2)
    assert.equal(0, (stop(recorder)))

    local text = tree.read(path)
    assert.is_truthy(text:find('"streams_before":2', 1, true))
    assert.is_truthy(text:find('"what":"noted","streams":2,"ended":0', 1, true))
    assert.is_truthy(text:find('"what":"stream","id":%d+,"status":200,"before":true,"app":"posta","stream":"events",' ..
      '"path":"/events","listener":"[^"]+","user":"ann","tag":"one%-+","data":"[^\n]*secret%-[^\n]*",' ..
      '"topics":%["user:ann"%]'))
    assert.is_truthy(text:find('"upstream":"inbox","key":"ann",.-"before":true}'))
    for _, secret in ipairs(SECRETS) do
      assert.is_nil(text:find(secret, 1, true), secret)
    end

    local code, output = replay(path, RULES, { "--expect", path })
    assert.equal(0, code, output .. text)
    assert.matches("1%d triggers are the same, 0 missing, 0 new, 0 changed", output)
    for _, misfit in ipairs { "not in the recording", "not asked for", "not opened", "not in it", "was answered" } do
      assert.is_nil(output:find(misfit, 1, true), output)
    end

    local edited = tree.read(RULES[1]):gsub('"thread%-updated"', '"thread-changed"')
    code, output = replay(path, { e2e.write(folder .. "/edited.lua", edited), RULES[2] }, { "--expect", path })
    assert.equal(1, code, output)
    local _, updates = text:gsub('"what":"trigger","topic":"user:ann","type":"thread%-updated"', "")
    assert.equal(4, updates)
    assert.matches("%d+ triggers are the same, 0 missing, 0 new, 4 changed", output)
    local _, were = output:gsub("\n%-[ %d.]+  user:ann  thread%-updated", "")
    assert.equal(4, were + (output:find "^%-" and 1 or 0))
  end)

  it("begins while a link that was open is not, and a replay opens it again", function()
    local chat, posta = start()
    local tab = open(chat, "sid=cookie-of-ann-0123456789", "one")
    wait.wait_until(function() return posta:ready().subscribers == 1 end, 5, "the link")
    posta:kill()
    wait.wait_until(function() return chat:metric "sluice_links_lost_total" >= 1 end, 5, "the link's loss")
    local recorder = record(chat, path)
    local resyncs = tab:count "resync"
    posta:start(true)
    tab:wait_count("resync", resyncs + 1, 15)
    say(posta, "ann", 1)
    tab:next "contact-changed"
    assert.equal(0, (stop(recorder)))
    assert.is_truthy(tree.read(path):find('"what":"lost","app":"posta","upstream":"inbox","key":"ann"', 1, true))
    local code, output = replay(path, RULES, { "--expect", path })
    assert.equal(0, code, output .. tree.read(path))
  end)

  it("notes many streams, a portion at a time, the oldest first, each once", function()
    local chat, tabs = start { conf = "streams_per_user = 0" }, {}
    for i = 1, 300 do tabs[i] = open(chat, "sid=cookie-of-ann-0123456789", ("tab-%03d-"):format(i)) end
    local recorder = record(chat, path)
    wait.wait_until(function() return tree.read(path):find '"what":"noted"' end, 10, "the end of the roll")
    tabs[7]:close()
    assert.equal(0, (stop(recorder)))
    local text, seen, last = tree.read(path), 0, 0
    for number in text:gmatch '"before":true,"app":"posta"[^\n]-"tag":"tab%-(%d+)' do
      seen = seen + 1
      assert.is_true(tonumber(number) > last)
      last = tonumber(number)
    end
    assert.equal(300, seen)
    assert.is_truthy(text:find('"what":"noted","streams":300,"ended":0', 1, true))
  end)

  it("hides what record_secrets names", function()
    local chat, posta = start { conf = 'record_secrets = { "row_id" }' }
    local recorder = record(chat, path)
    local tab = open(chat, "sid=cookie-of-ann-0123456789", "one")
    wait.wait_until(function() return posta:ready().subscribers == 1 end, 5, "the link")
    say(posta, "ann", 123456789)
    tab:next "contact-changed"
    assert.equal(0, (stop(recorder)))
    local text = tree.read(path)
    assert.is_nil(text:find "123456789")
    assert.is_truthy(text:find([[\"rowId\":\"secret-]], 1, true))
    assert.is_truthy(text:find([[\"token\":\"token]], 1, true))
    assert.is_nil(text:find("Bearer token", 1, true))
  end)

  it("ends rather than wait for a reader that takes nothing, and the server goes on", function()
    local chat, pieces = start(), {}
    local reader = tcp.connect(chat.admin, { receive_buffer = 65536 })
    reader:pause()
    reader.on_input = function(conn) pieces[#pieces + 1] = conn:take(#conn.input) end
    reader:send(http.encode { path = "/record", headers = { ["x-sluice-admin"] = "1" } })
    chat:wait_log "msg=recording"
    local body = ("x"):rep(1000000)
    for _ = 1, 25 do assert.equal(404, http.post(chat.address, "/nothing", { body = body }).status) end
    reader:resume()
    wait.wait_until(function() return reader.eof end, 20, "the recording to end")
    local text = table.concat(pieces)
    assert.matches('"what":"over","why":"its reader was too slow"}\n$', text:sub(-200))
    local _, requests = text:gsub('"what":"request"', "")
    assert.is_true(requests >= 15 and requests < 25, tostring(requests))
    assert.equal(0, (stop(record(chat, path))))
  end)

  it("ends with the server, which says so", function()
    local chat = start()
    local recorder = record(chat, path)
    chat:stop()
    assert.equal(1, recorder:wait())
    assert.matches('"what":"over","why":"the server ended"}\n$', tree.read(path))
  end)
end)

describe("sluice replay", function()
  it("says what is wrong with its words and files", function()
    local folder = e2e.folder()
    local path   = e2e.write(folder .. "/no.jsonl", "{}\n")
    local function says(code, pattern, ...)
      local have, output = e2e.run({ "replay", ... }, { cwd = folder })
      assert.matches(pattern, output)
      assert.equal(code, have)
    end
    says(2, "it needs a recording's FILE")
    says(2, "%-%-rules needs rule files", path, "--rules")
    says(2, "both name the rules", path, "-c", "x.conf", "--rules", "x.lua")
    says(2, "one recording at a time", path, "x.lua")
    says(2, "no.jsonl:1: this is no recording", path, "--rules", RULES[1])
    says(2, "missing.jsonl", folder .. "/missing.jsonl", "--rules", RULES[1])
    e2e.write(path, '{"t":0,"what":"recording","version":1,"wall_ms":0,"streams_before":0}\n')
    says(2, "^sluice replay: [^\n:]*/x.lua: No such file or directory\n$", path, "--rules", folder .. "/x.lua")
    e2e.write(folder .. "/sse.lua.conf", ('rules = %q\n'):format(e2e.root .. "/rules/posta.lua"))
    says(0, "no recorded event for the handlers of inbound, outbound%-state", path)
  end)
end)
