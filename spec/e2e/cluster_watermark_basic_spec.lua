-- rules/posta.lua on three nodes of one Redis: tabs, their requests and the inbox are on any of them, and the app's
-- server is told each row that is read once, before its trigger, and never a lower one behind it.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local postas       = require "spec.support.posta"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local wait         = require "spec.support.wait"

local KEY = "sluice:watermark:5:posta:read:"

local function tag_of(name) return name .. ("-"):rep(16) end

-- What the server does when a node of this name raises ann's row of bob, which then does nothing more.
local function raise_as(redis, app, node, row)
  local text = {}
  for _, name in ipairs { "epoch", "watermark", "watermark_raise" } do
    local file = assert(io.open("core/cluster/" .. name .. ".lua"))
    text[#text + 1] = file:read "*a"
    file:close()
  end
  return redis:cli("EVAL", table.concat(text), 1, "sluice", redis:cli("HGET", "sluice:epoch", "id"), node, app,
    "read", "rules", "open", "ann", "bob", row, "")
end

describe("posta's watermarks on three nodes", function()
  local posta, redis, cluster, a, b, c

  before_each(function()
    posta   = postas.open()
    redis   = redis_server.start()
    cluster = clusters.start { nodes = 3, rules = "rules/posta.lua", servers = { redis },
      env = { POSTA_URL = posta.url }, errors = "post of watermark read" }
    a, b, c = unpack(cluster.nodes)
    cluster:wait_ready()
    redis:cli("HSET", "sluice:epoch", "began", "1") -- long ago: else links open, and rows are told, 6 s later
  end)

  local function headers(user, name)
    return { cookie = "posta=" .. user, ["x-session-tag"] = name and tag_of(name) or nil }
  end

  local function connect(node, user, name)
    local tab = sse.open(node.address, { path = "/events", headers = headers(user, name) })
    tab:next "ready"
    return tab
  end

  local function open(node, user, name, peer, row)
    return http.post(node.address, ("/threads/%s/open"):format(peer), {
      headers = headers(user, name), body = ('{"rowId":%d}'):format(row) }).status
  end

  local function close(node, user, name, peer)
    return http.request(node.address, {
      method = "DELETE", path = ("/threads/%s/open"):format(peer), headers = headers(user, name) }).status
  end

  -- ann's inbox is b's, a and c have a tab each.
  local inbox, tab_a, tab_c
  local function settle()
    connect(b, "ann", "b")
    inbox = posta:link("ann", 1)
    tab_a, tab_c = connect(a, "ann", "a"), connect(c, "ann", "c")
  end

  local function inbound(row, peer) inbox:send("inbound", { peer = peer or "bob", rowId = row }) end

  -- The triggers of an event come behind all that the event brought about.
  local function trigger(tab)
    local data = (tab or tab_a):next("thread-updated", 5).data
    assert.equal(data, (tab or tab_a):next("contact-changed", 5).data)
    return data
  end

  -- What was told is known to be; nobody tells it again.
  after_each(function()
    wait.wait_until(function() return redis:cli("ZCARD", KEY .. "pending") == "0" end, 10, "nothing to be told")
  end)

  it("tells once what another node's tab shows, before the trigger goes out", function()
    settle()
    assert.equal(204, open(a, "ann", "a", "bob", 6))
    assert.same({ 6 }, posta:rows(1))
    posta.hold = true
    inbound(7)
    assert.same({ 6, 7 }, posta:rows(2))
    assert.equal(0, tab_a:count "thread-updated")
    posta:answer(204)
    assert.equal("bob", trigger())
    assert.equal("bob", trigger(tab_c))
    inbound(7)
    trigger()
    inbound(5)
    trigger()
    assert.same({ 6, 7 }, posta:rows(2))
    assert.same({ user = "ann", peer = "bob", row = 7 }, posta.reads[2])
  end)

  it("takes a tab's requests on any node", function()
    settle()
    assert.equal(204, open(c, "ann", "a", "bob", 1))
    assert.equal(204, open(b, "ann", "a", "cleo", 1))
    inbound(2, "bob")
    trigger()
    inbound(3, "cleo")
    trigger()
    assert.same({ 1, 1, 3 }, posta:rows(3))
    assert.equal(204, close(c, "ann", "a", "bob"))
    inbound(4, "cleo")
    trigger()
    assert.equal(204, close(c, "ann", "a", "cleo"))
    inbound(5, "cleo")
    trigger()
    assert.same({ 1, 1, 3, 4 }, posta:rows(4))
  end)

  it("closes with a tab what it shows, on whatever node it was", function()
    settle()
    assert.equal(204, open(b, "ann", "a", "bob", 1))
    assert.equal(204, open(c, "ann", "c", "bob", 1))
    tab_a:close()
    wait.wait_until(function() return redis:cli("HLEN", KEY .. "tabs:ann") == "2" end, 5,
                    "the tab's end")
    inbound(2)
    trigger(tab_c)
    assert.same({ 1, 2 }, posta:rows(2))
    close(a, "ann", "c", "bob")
    inbound(3)
    trigger(tab_c)
    assert.same({ 1, 2 }, posta:rows(2))
  end)

  it("goes on with the tab when it comes again elsewhere", function()
    settle()
    assert.equal(204, open(a, "ann", "a", "bob", 1))
    local function holder() return redis:cli("HGET", KEY .. "tabs:ann", tag_of "a") end
    local first = holder()
    local again = connect(c, "ann", "a")
    wait.wait_until(function() return holder() ~= first end, 5, "the second stream's begin")
    tab_a:close()
    wait.wait_until(function() return a:metric "sluice_subscribers" == 0 end, 5, "the first stream's end")
    inbound(2)
    trigger(again)
    assert.same({ 1, 2 }, posta:rows(2))
  end)

  it("counts a dead node's tabs no more when it is found dead", function()
    settle()
    assert.equal(204, open(b, "ann", "a", "bob", 1))
    clusters.kill(a)
    local row, before, since = 1, nil, wait.now()
    wait.wait_until(function()
      row, before = row + 1, #posta.reads
      inbound(row)
      trigger(tab_c)
      wait.pass(0.2)
      return #posta.reads == before
    end, 15, "the thread to be closed")
    assert.is_true(row > 10 and wait.now() - since > 7)
  end)

  it("is told what a node left that died before it was answered", function()
    settle()
    assert.equal(204, open(a, "ann", "a", "bob", 1))
    posta:rows(1)
    posta.hold = true
    inbound(2)
    posta:rows(2)
    trigger() -- it waited for half a second
    clusters.kill(b)
    posta.hold = false
    assert.same({ 1, 2, 2 }, posta:rows(3, 20))
    assert.equal(204, open(c, "ann", "c", "bob", 1))
    assert.same({ 1, 2, 2 }, posta:rows(3))
  end)

  it("repeats what fails, on whatever node, with the highest row only", function()
    settle()
    posta.status = 500
    assert.equal(204, open(a, "ann", "a", "bob", 1))
    inbound(2)
    trigger()
    posta:rows(2, 10)
    posta.status = 204
    local count = #posta.reads + 1
    local rows = posta:rows(count, 10)
    assert.equal(2, rows[count])
    wait.pass(1)
    assert.equal(count, #posta.reads)
  end)

  it("remembers what it told when Redis forgets everything, and the threads that are open", function()
    settle()
    assert.equal(204, open(a, "ann", "a", "bob", 7))
    posta:rows(1)
    redis:flush()
    wait.wait_until(function() return open(c, "ann", "c", "bob", 5) == 204 end, 5, "the next epoch") -- c told nothing
    wait.wait_until(function()
      return redis:cli("HGET", KEY .. "row:3:ann:bob", "told") == "7"
        and redis:cli("HGET", KEY .. "tabs:ann", tag_of "a"):find " bob$"
    end, 4, "Redis to be told") -- before anybody tells anything
    assert.equal(204, open(c, "ann", "c", "cleo", 1))
    assert.same({ 7, 1 }, posta:rows(2, 10))
  end)

  local function row_in_redis() return redis:cli("HGET", KEY .. "row:3:ann:bob", "row") end

  for _, how in ipairs { "cut", "stop", "kill" } do
    it("does not fall below what a node told, though Redis forgot it while that is off: " .. how, function()
      settle()
      assert.equal(204, open(a, "ann", "a", "bob", 10))
      assert.same({ 10 }, posta:rows(1))
      clusters[how](a)
      redis:flush()
      wait.wait_until(function() return open(c, "ann", "c", "bob", 8) == 204 end, 5, "the next epoch")
      assert.same({ 10, 10 }, posta:rows(2, 15)) -- nobody knows whether it was told
      inbound(9)
      trigger(tab_c)
      assert.same({ user = "ann", peer = "bob", row = 10 }, posta.reads[2])
      inbound(11)
      trigger(tab_c)
      assert.same({ 10, 10, 11 }, posta:rows(3))
      if how == "cut" then clusters.mend(a) else clusters.continue(a) end
    end)
  end

  it("tells with the next what a node was about to tell that died, though Redis forgot it", function()
    settle()
    assert.matches("^post\n10\n", raise_as(redis, "posta", "gone", 10))
    redis:flush()
    wait.wait_until(function() return row_in_redis() == "10" end, 10, "Redis to be told")
    assert.equal("0", redis:cli("ZCARD", KEY .. "pending"))
    assert.equal(204, open(c, "ann", "c", "bob", 8))
    assert.same({ 10 }, posta:rows(1, 15))
  end)

  it("says that it does not know while Redis is away, and goes on when it is back", function()
    settle()
    assert.equal(204, open(a, "ann", "a", "bob", 1))
    posta:rows(1)
    posta.hold = true
    assert.equal(204, open(a, "ann", "a", "bob", 2))
    posta:rows(2)
    redis:pause()
    posta:answer(204)
    wait.wait_until(function() return open(b, "ann", "b", "bob", 3) == 503 end, 20, "the open to be refused")
    redis:continue()
    wait.wait_until(function() return open(b, "ann", "b", "bob", 3) == 204 end, 20, "the open to be taken")
    assert.same({ 1, 2, 3 }, posta:rows(3))
    for _, node in ipairs(cluster.nodes) do -- it was entered once more at most, however much was asked meanwhile
      wait.wait_until(function() return http.get(node.admin, "/ready").status == 200 end, 10, "the node to be ready")
      assert.is_true(select(2, node.process:output():gsub('msg="redis is here"', "")) <= 2)
    end
  end)

  it("survives a reload of the node that tells it", function()
    settle()
    posta.hold = true
    assert.equal(204, open(a, "ann", "a", "bob", 1))
    posta:rows(1)
    clusters.reload(a)
    posta.hold = false
    assert.same({ 1, 1 }, posta:rows(2, 10))
    inbound(2)
    trigger()
    assert.same({ 1, 1, 2 }, posta:rows(3))
  end)
end)

local RULES = [[
local sluice, http, watermark = require "sluice", require "sluice.http", require "sluice.watermark"
local app = sluice.app "chat"
local read = watermark.new(app, "read", { wait = 4, post = function(user, _, peer, row)
  http.post(sluice.env "POSTA_URL" .. "/api/v1/contacts/read", {
    headers = { authorization = "Bearer " .. user }, json = { peer = peer, rowId = row } }):expect(204)
end })
app:route("open", "POST /open", { run = function() read:open("ann", nil, "bob", 0) return 204 end })
app:route("advance", "POST /advance/{row}", { run = function(_, params)
  return 200, tostring(read:advance("ann", "bob", tonumber(params.row))) .. " " .. read:row("ann", "bob")
end })
]]

describe("a watermark that rises on three nodes", function()
  local posta, redis, cluster

  before_each(function()
    posta   = postas.open()
    redis   = redis_server.start()
    cluster = clusters.start { nodes = 3, rules = { ["chat.lua"] = RULES }, servers = { redis },
      env = { POSTA_URL = posta.url } }
    cluster:wait_ready()
    redis:cli("HSET", "sluice:epoch", "began", "1")
    assert.equal(204, http.post(cluster.nodes[3].address, "/open").status)
    assert.same({ 0 }, posta:rows(1))
  end)

  local function path(row) return "/advance/" .. row end
  local function node(row) return cluster.nodes[row % 3 + 1].address end

  it("is told once for each row where one comes after the other", function()
    for row = 1, 100 do assert.equal(("true %d"):format(row), http.post(node(row), path(row)).body) end
    local rows = posta:rows(101)
    for i, row in ipairs(rows) do assert.equal(i - 1, row) end
    assert.equal(101, #rows)
  end)

  it("never falls where a thousand come at once, and each waits until it is told", function()
    local clients = {}
    for row = 1, 1000 do
      clients[row] = http.connect(node(row))
      clients[row]:start { method = "POST", path = path(row) }
    end
    for _, client in ipairs(clients) do
      assert.equal("true", client:answer(30).body:match "^%a+")
      client:close()
    end
    local rows = posta:rows(2)
    for i = 2, #rows do assert.is_true(rows[i] > rows[i - 1]) end
    assert.equal(1000, rows[#rows])
    assert.is_true(#rows <= 1001)
  end)

  it("is waited for on all nodes while one of them tells it", function()
    posta.hold = true
    local clients = {}
    for number = 1, 3 do
      clients[number] = http.connect(node(number))
      clients[number]:start { method = "POST", path = path(5) }
    end
    assert.same({ 0, 5 }, posta:rows(2))
    wait.pass(0.3)
    for _, client in ipairs(clients) do assert.is_nil(client._answers[1]) end
    posta:answer(204)
    for _, client in ipairs(clients) do
      assert.equal("true 5", client:answer().body)
      client:close()
    end
    assert.same({ 0, 5 }, posta:rows(2))
  end)

  it("does not fall below what a node was about to tell, as two others know", function()
    local function forget() redis:cli("DEL", "sluice:watermark:4:chat:read:row:3:ann:bob") end
    raise_as(redis, "chat", "gone", 10)
    forget()
    local answers = 0
    for row = 6, 8 do
      answers = answers + (http.post(node(row), path(row)).body == "true 10" and 1 or 0)
      forget()
    end
    assert.is_true(answers >= 2)
    local tens = 0
    for _, row in ipairs(posta:rows(4)) do tens = tens + (row == 10 and 1 or 0) end
    assert.is_true(tens >= 2)
  end)

  it("is not known elsewhere when Redis goes away while one of them tells it", function()
    posta.hold = true
    local one, other = http.connect(node(1)), http.connect(node(2))
    one:start { method = "POST", path = path(5) }
    assert.same({ 0, 5 }, posta:rows(2))
    other:start { method = "POST", path = path(5) }
    wait.pass(0.2)
    redis:pause()
    assert.equal(503, other:answer(10).status) -- it waited in vain, and then asked for the row
    redis:continue()
    posta:answer(204)
    one:answer(10)
    one:close()
    other:close()
    cluster:wait_ready()
    assert.same({ 0, 5 }, posta:rows(2))
  end)
end)
