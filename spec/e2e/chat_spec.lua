-- The chat example whole, without a browser: the stand-in posta server is one process of the binary,
-- rules/posta.lua and the page another.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local sse  = require "spec.support.sse"
local wait = require "spec.support.wait"

local function peer(user) return "https://posta.no/@" .. user end
local function encoded(user) return "https:%2F%2Fposta.no%2F@" .. user end
local function tag_of(name) return name .. ("-"):rep(16) end

local function start()
  local posta = e2e.server { rules = { ["posta.lua"] = "examples/chat/posta.lua" } }
  local chat  = e2e.server { rules = { ["a.lua"] = "rules/posta.lua", ["b.lua"] = "examples/chat/pages.lua" },
                             env = { POSTA_URL = "http://" .. posta.address } }
  return chat, posta
end

local function headers(user, tag) return { cookie = "posta=" .. user, ["x-session-tag"] = tag and tag_of(tag) } end

-- A tab that is live, and whose user's link is: what came before is behind it.
local function open(chat, user, tag)
  local tab = sse.open(chat.address, { path = "/events", headers = headers(user, tag) })
  assert.matches('"tag":"' .. tag_of(tag):gsub("%-", "%%-"), tab:next("ready").data)
  wait.wait_until(function() return chat:metric "sluice_links_opened_total" >= chat:ready().links end, 5, "the link")
  return tab
end

local function say(chat, from, to, text, tag)
  local sent = headers(from, tag)
  sent["content-type"] = "application/x-www-form-urlencoded"
  local answer = http.post(chat.address, "/ui/thread/" .. encoded(to) .. "/messages",
                           { headers = sent, body = "text=" .. text })
  assert.equal(200, answer.status)
  assert.is_truthy(answer.body:find(text, 1, true))
end

local function page(chat, user, path) return http.get(chat.address, path, headers(user)).body end

describe("the chat", function()
  it("brings a message to both tabs of whom it is for, over one upstream connection, and to nobody else", function()
    local chat, posta = start()
    local one, two = open(chat, "ann", "one"), open(chat, "ann", "two")
    local cleo = open(chat, "cleo", "cleo")
    assert.same({ 1, 1, 0 }, (function()
      local count = http.get(posta.address, "/api/v1/connections").json()
      return { count.ann, count.cleo, count.bob }
    end)())
    local from = wait.now()
    say(chat, "bob", "ann", "Ahoy")
    for _, tab in ipairs { one, two } do
      assert.equal(peer "bob", tab:next("thread-updated").data)
      assert.equal(peer "bob", tab:next("contact-changed").data)
    end
    assert.is_true(wait.now() - from < wait.patience)
    assert.is_truthy(page(chat, "ann", "/ui/thread/" .. encoded "bob"):find("Ahoy", 1, true))
    say(chat, "dag", "cleo", "The end of what could have come before it")
    assert.equal(peer "dag", cleo:next("thread-updated").data)
    assert.equal(1, cleo:count "thread-updated")
  end)

  it("does not tell the tab that wrote what it shows already; its other tab is told", function()
    local chat = start()
    local one, two = open(chat, "ann", "one"), open(chat, "ann", "two")
    say(chat, "ann", "bob", "Once", "one")
    assert.equal(peer "bob", two:next("thread-updated").data)
    assert.equal(peer "bob", two:next("contact-changed").data)
    say(chat, "bob", "ann", "Twice", "bob")
    assert.equal(peer "bob", one:next("thread-updated").data)
    two:next "thread-updated"
    assert.same({ 1, 2 }, { one:count "thread-updated", two:count "thread-updated" })
  end)

  it("marks as read what comes into an open thread, and nothing once it is closed", function()
    local chat = start()
    local ann, bob = open(chat, "ann", "ann"), open(chat, "bob", "bob")
    local path = "/threads/" .. encoded "bob" .. "/open"
    assert.equal(204, http.post(chat.address, path, { headers = headers("ann", "ann"), json = { rowId = 1 } }).status)
    say(chat, "bob", "ann", "Do you see me?")
    ann:next "thread-updated"
    wait.wait_until(function()
      return page(chat, "bob", "/ui/thread/" .. encoded "ann" .. "/messages"):find 'class="ticks read"'
    end, 5, "bob to see that it is read")
    assert.equal(peer "ann", bob:next("contact-changed").data)
    local closed = http.request(chat.address, { method = "DELETE", path = path, headers = headers("ann", "ann") })
    assert.equal(204, closed.status)
    say(chat, "bob", "ann", "And now?")
    ann:next "thread-updated"
    wait.pass(0.3)
    local messages = page(chat, "bob", "/ui/thread/" .. encoded "ann" .. "/messages")
    assert.is_truthy(messages:find "And now%?.-ticks delivered")
  end)

  it("asks who is there, and says 503, not 401, while nobody can tell", function()
    local chat, posta = start()
    assert.equal(401, http.get(chat.address, "/events").status)
    assert.equal(401, http.post(chat.address, "/threads/" .. encoded "bob" .. "/open", { json = { rowId = 1 } }).status)
    assert.equal(200, http.get(chat.address, "/").status)
    local tab = open(chat, "ann", "ann")
    posta:stop()
    chat.errors = "identity"
    assert.equal(503, http.get(chat.address, "/events", headers "ann").status)
    assert.is_falsy(tab.ended)
    assert.matches('rule failed.*127.0.0.1', chat:log())
  end)

  it("recovers when the posta server is restarted: told to re-read, then messages again", function()
    local chat, posta = start()
    local tab = open(chat, "ann", "ann")
    tab:wait_count("resync", 1) -- of the first opening
    say(chat, "bob", "ann", "Here I am")
    assert.equal(peer "bob", tab:next("thread-updated").data)
    posta:kill()
    posta:start(true)
    -- The reopened link's own, and the one that the posta server sends, which knows the link's id no more.
    for _, data in ipairs(tab:wait_count("resync", 3, 15)) do assert.matches('"reason":"upstream"', data) end
    say(chat, "bob", "ann", "Still here")
    assert.equal(peer "bob", tab:next("thread-updated").data)
    assert.equal(3, tab:count "resync")
  end)
end)
