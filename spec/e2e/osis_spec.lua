-- Participants' chat on real sockets: the router's Unix socket, where a key is believed, and the open one, where it is
-- to be proven.

local e2e      = require "spec.support.e2e"
local http     = require "spec.support.http"
local pairs_of = require "spec.fixtures.token_keys"
local sse      = require "spec.support.sse"
local wait     = require "spec.support.wait"

local SIGNER = [[
local sluice, jwt = require "sluice", require "sluice.jwt"
sluice.app("signer"):route("sign", "POST /sign", { run = function(req)
  return 200, jwt.sign(req:json(), { alg = "ES256", key = sluice.env "SIGNING_KEY" })
end })
]]

-- What the app says who takes part.
local APP = [[
local sluice, store = require "sluice", require "sluice.store"
local app = sluice.app "app"
app:route("conversation", "GET /api/conversations/{id}", { run = function(req, params)
  store.increment "asked"
  return { json = { participants = { "ann", "bob" } } }
end })
app:route("asked", "GET /asked", { run = function() return 200, tostring(store.get "asked" or 0) end })
]]

local KEY = pairs_of.ec_public:gsub("%-%-%-%-%-[^\n]-%-%-%-%-%-", ""):gsub("%s", "")

describe("participants' chat", function()
  local server, router, osis

  before_each(function()
    osis = e2e.server { rules = APP }
    local folder = e2e.folder()
    server = e2e.server {
      rules = { ["a.lua"] = "rules/osis.lua", ["b.lua"] = SIGNER },
      conf  = ('listen = "127.0.0.1:0" listen_trusted = "unix:%s/router"'):format(folder),
      env   = { PUBLISH_KEY = "the key", OSIS_URL = "http://" .. osis.address, SIGNING_KEY = pairs_of.ec_private },
    }
    router = "unix:" .. folder .. "/router"
  end)

  local function open(address, path, headers)
    local tab = sse.open(address, { path = path, headers = headers })
    if tab.status == 200 then tab:next "ready" end
    return tab
  end

  local function publish(type, data)
    return http.post(server.address, "/publish", { json = { type = type, data = data },
                                                   headers = { authorization = "Bearer the key" } })
  end

  it("is GET / on the router's socket, by the header or the query, and only for who takes part", function()
    local ann = open(router, "/", { ["x-public-key"] = "ann" })
    local bob = open(router, "/?public_key=bob")
    local eve = open(router, "/?public_key=ann", { ["x-public-key"] = "eve" })
    for i = 1, 3 do assert.equal(200, publish("chatmessage.new", { conversation = "7", text = i }).status) end
    for _, tab in ipairs { ann, bob } do
      for i = 1, 3 do
        local event = tab:next "message"
        assert.equal(('{"data":{"conversation":"7","text":%d},"type":"chatmessage.new"}'):format(i), event.data)
      end
    end
    assert.equal("1", http.get(osis.address, "/asked").body)
    publish("conversation.updated", { id = "8", participants = { "eve" } })
    assert.matches("conversation.updated", eve:next("message").data, 1, true)
    assert.equal(1, eve:count "message")
  end)

  it("believes nobody on another socket who has not signed", function()
    assert.equal(401, open(server.address, "/", { ["x-public-key"] = "ann" }).status)
    assert.equal(401, open(server.address, "/?public_key=ann").status)
    local token = http.post(server.address, "/sign", { json = { sub = KEY, exp = os.time() + 60 } }).body
    local tab   = open(server.address, "/", { ["x-public-key"] = KEY, authorization = "Bearer " .. token })
    assert.equal(200, tab.status)
    publish("conversation.saved", { id = "9", participants = { KEY } })
    publish("chatmessage.new", { conversation = "9" })
    assert.matches("chatmessage.new", tab:next("message").data, 1, true)
    local as_ann = { ["x-public-key"] = "ann", authorization = "Bearer " .. token }
    assert.equal(401, open(server.address, "/", as_ann).status)
  end)

  it("sends nothing while the app is away, and says so to who publishes", function()
    local ann = open(router, "/?public_key=ann")
    osis:stop()
    local answer = publish("chatmessage.new", { conversation = "7", text = "lost" })
    assert.same({ 503, "1" }, { answer.status, answer.headers["retry-after"] })
    publish("conversation.fetched", { id = "7", participants = { "ann" } })
    assert.equal(200, publish("chatmessage.new", { conversation = "7", text = "again" }).status)
    assert.matches("again", ann:next("message").data, 1, true)
    assert.equal(1, ann:count "message")
  end)

  it("tells a reader that lags how many messages it missed", function()
    local ann, slow = open(router, "/?public_key=ann"), open(router, "/?public_key=bob")
    slow:stall()
    local text, sent = ("x"):rep(8000), 800
    for _ = 1, sent do assert.equal(200, publish("chatmessage.new", { conversation = "7", text = text }).status) end
    ann:wait_count("message", sent, 20)
    slow:resume()
    local missed = tonumber(slow:next("resync", 10).data:match '"reason":"lagged","missed":(%d+)')
    assert.is_true(missed > 0)
    assert.equal(sent, slow:count "message" + missed)
    assert.is_true(slow:count "message" < sent)
    wait.wait_until(function() return server:ready().subscribers == 2 end)
  end)
end)
