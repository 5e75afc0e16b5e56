-- rules/mercure.lua in the real server, with clients that know nothing of it: curl, Node's EventSource, and what a
-- publisher's library sends.

local curl        = require "spec.support.curl"
local e2e         = require "spec.support.e2e"
local eventsource = require "spec.support.eventsource"
local http        = require "spec.support.http"
local json        = require "cjson.safe"
local proc        = require "spec.support.proc"
local proxy       = require "spec.support.proxy"
local tokens      = require "spec.support.tokens"
local wait        = require "spec.support.wait"

local HUB = "/.well-known/mercure"
local PUBLISH_KEY, SUBSCRIBE_KEY = ("p"):rep(40), ("s"):rep(40)
local BOOK = "https://example.com/books/1"
local SUBSCRIPTIONS = HUB .. "/subscriptions{/topic}{/subscriber}"

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

local function at(...)
  local query = {}
  for i, topic in ipairs { ... } do query[i] = "topic=" .. escape(topic) end
  return HUB .. "?" .. table.concat(query, "&")
end

describe("a Mercure hub", function()
  local publisher, reader

  setup(function()
    publisher = "Bearer " .. tokens.sign({ mercure = { publish = { "*" } } }, PUBLISH_KEY)
    reader = "Bearer " .. tokens.sign({ mercure = { subscribe = { "https://example.com/books/{id}", SUBSCRIPTIONS } } },
                                      SUBSCRIBE_KEY)
  end)

  local function start()
    return e2e.server { rules = "rules/mercure.lua", conf = "drain_spread = 0.1", env = {
      MERCURE_PUBLISHER_JWT_KEY = PUBLISH_KEY, MERCURE_SUBSCRIBER_JWT_KEY = SUBSCRIBE_KEY, MERCURE_ANONYMOUS = "1",
      MERCURE_SUBSCRIPTIONS = "1",
    } }
  end

  local function wait_subscribers(server, count)
    wait.wait_until(function() return server:ready().subscribers == count end, 10, count .. " subscribers")
  end

  local function publish(server, data, more)
    local answer = http.post(server.address, HUB, {
      headers = { authorization = publisher, ["content-type"] = "application/x-www-form-urlencoded" },
      body = ("topic=%s&data=%s%s"):format(escape(BOOK), escape(data), more or ""),
    })
    assert.equal(200, answer.status, answer.body)
    return answer.body
  end

  it("takes what curl publishes, as the hub's own documentation has it", function()
    local server = start()
    local stream = curl.open(server.address, { path = at(BOOK) })
    wait_subscribers(server, 1)
    local process = proc.spawn({ "curl", "--silent", "--noproxy", "*", "-d", "topic=" .. BOOK, "--data-urlencode",
      'data={"status": "OutOfStock"}', "-H", "Authorization: " .. publisher, "http://" .. server.address .. HUB },
      { env = { LD_PRELOAD = false } })
    assert.equal(0, process:wait(10))
    local event = stream:next "message"
    assert.same({ '{"status": "OutOfStock"}', process:output() }, { event.data, event.id })
    assert.truthy(event.id:find "^urn:uuid:")
  end)

  it("serves Node's EventSource, which comes back without loss or double, also over a reload", function()
    local server = start()
    local tunnel = proxy.open(server.address)
    local source = eventsource.open(tunnel.address, { "message", "resync" },
      at "https://example.com/books/{id}", reader)
    wait_subscribers(server, 1)
    local numbers = {}
    for round = 1, 3 do
      for i = 1, 10 do
        numbers[#numbers + 1] = tostring(#numbers + 1)
        publish(server, numbers[#numbers], i % 2 == 0 and "&private=on" or "")
        if i == 5 then
          tunnel.refusing = true
          tunnel:cut()
        end
      end
      if round == 2 then
        server.process:signal "HUP"
        server:wait_log "msg=reloaded"
      end
      tunnel.refusing = false
      assert.same(numbers, source:wait_count("message", #numbers))
    end
    assert.equal(0, source:state_count "closed")
    assert.same({}, source:wait_count("resync", 0))
  end)

  it("tells who hears what, and is asked", function()
    local server = start()
    local watcher = curl.open(server.address, { path = at "*", headers = { Authorization = reader } })
    wait_subscribers(server, 1)
    local stream = curl.open(server.address, { path = at(BOOK) })
    local came = json.decode(watcher:next("message").data)
    assert.same({ BOOK, true }, { came.topic, came.active })
    local answer = http.get(server.address, HUB .. "/subscriptions/" .. escape(BOOK), { authorization = reader })
    assert.same({ 200, "application/ld+json" }, { answer.status, answer.headers["content-type"] })
    assert.equal(came.subscriber, answer.json().subscriptions[1].subscriber)
    stream.kill()
    local went = json.decode(watcher:next("message").data)
    assert.same({ came.subscriber, false }, { went.subscriber, went.active })
    assert.equal(404, http.get(server.address, came.id, { authorization = reader }).status)
  end)
end)
