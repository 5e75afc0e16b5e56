-- Nodes that are cut off for real: each stands in a network namespace with a cable to Redis and one to everybody else,
-- and a cable that is pulled, or passes nothing one way, tells nobody: no end, no reset, only silence.

local cable        = require "spec.support.cable"
local clusters     = require "spec.support.cluster"
local e2e          = require "spec.support.e2e"
local feeders      = require "spec.support.feeder"
local http         = require "spec.support.http"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local wait         = require "spec.support.wait"

local FOUND, BACK = 10, 15          -- seconds until a node knows that it is cut off, and that it is not any more
local DEAD, GRACE = 10, 1           -- until the others know that it is; of presence
local LEASE, HELD = 6, 5            -- of a link: by the server's clock, and by its holder's
local HEARTBEAT, STALL = 1, 2       -- of streams

local RULES = ([[
local sluice = require "sluice"
local log    = require "sluice.log"
local time   = require "sluice.time"
local app = sluice.app "cut"
local who = sluice.identity(function(req) return { user = req.headers["x-user"] } end)
local KEPT = { size = 5000, ttl = 120 }
local room = app:topic("room", { subscribe = false, history = KEPT })
local mine = app:topic("user:{user}", { history = KEPT })
local feed = app:upstream("feed", { key = function(sub) return sub.user end, topic = mine,
  request = function(key) return { url = sluice.env "UPSTREAM" .. "/feed/" .. key } end,
  resume = "trust", grace = 2, backoff = { min = 0.05, max = 0.2 } })
feed:on("say", function(ev) mine(ev.key):emit("say", ev.data) end)
local news = app:topic("news", { subscribe = false, history = KEPT })
local here = app:topic("here", { subscribe = false, presence = { grace = %g,
  change = function(user, status) news():emit("change", user .. " " .. status) end } })
app:stream("rooms", { path = "/room", topics = function() return room() end, heartbeat = %g })
app:stream("mine", { path = "/mine", identity = who, upstreams = { feed },
                     topics = function(_, sub) return mine(sub.user) end })
app:stream("here", { path = "/here", identity = who, topics = function() return here() end })
app:stream("news", { path = "/news", topics = function() return news() end })
app:route("who", "GET /who", { run = function()
  local known, users = pcall(function() return app:presence "here":list() end)
  if not known then return 503, users:match "presence:.*" end
  return 200, table.concat(users, " ")
end })
app:route("say", "POST /say", { run = function(req) room():emit("said", req.body) return 204 end })
local input = app:ingest("in", { path = "/publish", authorize = sluice.bearer "the-key" })
input:on("say", function(ev) room():emit("said", ev.data) end)
input:on("slow", function(ev)
  log.info("slow begins")
  time.sleep(0.5)
  room():emit("said", ev.data)
end)
]]):format(GRACE, HEARTBEAT)

local AWAY    = "Nothing of this was published: Redis is away; try again."
local UNKNOWN = "Whether this was published is not known: Redis did not answer; ask again with the same id."

local UNASKED = "Whether this was published before is not known: Redis is away; try again."

-- ---- what all of them do ----

local function ready(node)
  local answer = http.get(node.admin, "/ready")
  return answer.status == 200, answer.json()
end

local function wait_ready(node, wanted, timeout)
  wait.wait_until(function() return ready(node) == wanted end, timeout,
                  ("node %d to be %s"):format(node.number, wanted and "ready" or "cut off"))
end

-- Does not wait for anything.
local function open(node, path, options)
  options = options or {}
  return sse.open(node.address, { path = path, last_event_id = options.last_event_id, wait = false,
                                  headers = { ["x-user"] = options.user } })
end

local function follow(node, path, options)
  local tab = open(node, path, options)
  tab:next("ready", 5)
  return tab
end

-- Asks, and does not wait for the answer.
local function ask(node, type, data, id)
  local client = http.connect(node.address)
  client:start { method = "POST", path = "/publish", json = { type = type, data = data },
                 headers = { authorization = "Bearer the-key", ["idempotency-key"] = id } }
  return client
end

local function publish(node, data, id) return ask(node, "say", data, id):answer(15) end

local function refusal(answer)
  assert.equal(503, answer.status)
  return answer.json().error.message
end

-- Asks again until it is taken, as a publisher does that was told to.
local function insist(node, type, data, id)
  local answer
  wait.wait_until(function()
    answer = ask(node, type, data, id):answer(15)
    return answer.status == 200
  end, 20, "it to be published")
  return answer.json()
end

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = tostring(i) end
  return list
end

-- Each has all of these, in this order, and was never told to re-read.
local function assert_all(tabs, type, wanted)
  for i, tab in ipairs(tabs) do
    wait.wait_until(function() return tab:count(type) >= #wanted end, 10,
      ("%d of tab %d, which has %s"):format(#wanted, i, table.concat(tab:data(type), " ")))
  end
  wait.pass(0.2)
  for i, tab in ipairs(tabs) do
    assert.same(wanted, tab:data(type), "tab " .. i)
    assert.falsy(tab.ended)
  end
end

local function resyncs(tabs)
  local count = 0
  for _, tab in ipairs(tabs) do count = count + tab:count "resync" end
  return count
end

-- ---- nodes at the ends of cables ----

local redis, feeder, nodes

local function redis_for(switch)
  return redis_server.start { args = { "--bind", "127.0.0.1", switch.here, "--protected-mode", "no" } }
end

-- `front` is its cable to clients and upstreams, `back` that to Redis; its admin is reached without any.
local function seat(front, back)
  local space, admin = cable.space(), e2e.folder() .. "/admin.sock"
  local self = { front = front:lay(space), back = back:lay(space), under = cable.inside(space) }
  self.conf = ('listen = "%s:0"\nadmin = "unix:%s"\nredis = "redis://%s:%s"\nstall_timeout = %g\n'):format(
    self.front.there, admin, back.here, redis.address:match "%d+$", STALL)
  return self
end

-- As if the server had run for long: in the first seconds of an epoch nobody is granted what another may still hold.
local function age() redis:cli("HSET", "sluice:epoch", "began", "1") end

local function serve(errors)
  local front, back = cable.switch(), cable.switch()
  redis, feeder = redis_for(back), feeders.open(nil, front.here .. ":0")
  local cluster = clusters.start { nodes = 3, rules = RULES, servers = { redis }, errors = errors,
    env = { UPSTREAM = feeder.url }, seat = function() return seat(front, back) end }
  cluster:wait_ready()
  age()
  nodes = cluster.nodes
end

describe("a node at the end of a cable", function()
  local function on_cables(name, test)
    it(name, function()
      local missing = cable.missing()
      if missing then return pending(missing) end
      test()
    end)
  end

  on_cables("to Redis that is pulled says so, keeps its streams, and has them miss nothing", function()
    serve "triggers were not published"
    local off, near, far = unpack(nodes)
    local tabs = { follow(off, "/room"), follow(near, "/room"), follow(far, "/room") }
    local news = follow(far, "/news")
    follow(off, "/here", { user = "ann" })
    follow(near, "/here", { user = "bob" })
    wait.wait_until(function() return news:count "change" == 2 end, 5, "both to be there")

    off.seat.back:pull()
    local pulled, unready, why = wait.now(), nil, nil
    local unknown = ask(off, "say", "never")
    local function say(number) assert.equal(200, publish(near, tostring(number)).status) end
    local last = wait.meanwhile(0, say, function()
      local is, said = ready(off)
      if not unready and not is then unready, why = wait.now() - pulled, said.redis.servers[1].why end
      return news:count "change" == 3 and unready
    end, DEAD + GRACE + 4, "it to be taken for dead")
    assert.is_true(unready <= FOUND * wait.patience, unready)
    assert.equal(UNKNOWN, refusal(unknown:answer(1))) -- and it is not published when the cable is back
    assert.equal(AWAY, refusal(publish(off, "never")))
    assert.equal("no answer within 2.0 s", why)
    assert.equal("cut off", off:ready().mode)
    assert.same({ 0, false }, { tabs[1]:count "said", tabs[1].ended or false })

    assert.equal("ann offline", news:data "change"[3])
    assert.is_true(wait.now() - pulled >= DEAD - 1 + GRACE - 0.2)
    assert.same({ "bob", "bob" }, { http.get(near.address, "/who").body, http.get(far.address, "/who").body })
    assert.equal("presence:list: away: the Redis server is away", http.get(off.address, "/who").body)

    off.seat.back:mend()
    wait_ready(off, true, BACK)
    assert_all(tabs, "said", numbers(last))
    assert.equal(200, publish(off, tostring(last + 1)).status)
    assert_all(tabs, "said", numbers(last + 1))
    assert.equal(0, resyncs(tabs))
    wait.wait_until(function() return news:count "change" == 4 end, 10, "ann to be there again")
    assert.equal("ann online", news:data "change"[4])
    for _, node in ipairs(nodes) do assert.equal("ann bob", http.get(node.address, "/who").body) end
  end)

  on_cables("to Redis that is pulled closes its link before another node opens it; one without its clients ends " ..
            "their streams", function()
    serve()
    local owner, near, alone = unpack(nodes)
    local first = follow(owner, "/mine", { user = "ann" })
    feeder:wait_live("ann", 1)
    local tabs = { first, follow(near, "/mine", { user = "ann" }) }
    follow(owner, "/mine", { user = "bob" }) -- whose link brings nothing that would have the node look at its clock
    feeder:wait_live("bob", 1)
    follow(near, "/mine", { user = "bob" })
    local client = follow(alone, "/room")
    local function step(number)
      feeder:say("ann", tostring(number))
      assert.equal(200, publish(near, tostring(number)).status)
    end
    local last = wait.meanwhile(0, step, function() return client:count "said" >= 10 end, 5, "ten events")
    wait.pass(1.5) -- what came with the first opening
    local before = resyncs(tabs)

    owner.seat.back:pull()
    alone.seat.front:pull()
    local pulled, ended = wait.now(), nil
    last = wait.meanwhile(last, step, function()
      if not ended and alone:ready().subscribers == 0 then ended = wait.now() - pulled end
      return feeder:openings "ann" == 2 and feeder:openings "bob" == 2 and ended
    end, LEASE + 4, "other links, and the end of the stream")
    for _, user in ipairs { "ann", "bob" } do
      local one, two = unpack(feeder:spans(user))
      assert.is_true(one.to and one.to < two.from, user .. "'s first link is closed before the second is opened")
      assert.is_true(one.to - pulled <= (HELD + 0.5) * wait.patience, one.to - pulled)
    end
    assert.equal(0, feeder.overlaps)

    assert.is_true(ended <= (HEARTBEAT + STALL + 1) * wait.patience, ended)
    assert.equal(1, alone:metric 'sluice_streams_ended_total{reason="slow"}')
    assert.is_true((ready(alone)), "Redis is where it was")
    local again = follow(near, "/room", { last_event_id = client.last_id() })
    assert.matches('"resumed":true', again.events[1].data)

    last = wait.meanwhile(last, step, function() return tabs[2]:count "say" >= last end, 5, "the events of meanwhile")
    owner.seat.back:mend()
    wait_ready(owner, true, BACK)
    last = wait.meanwhile(last, step, function() return first:count "say" >= last end, 5,
                          "the same on the node that was off")
    assert_all(tabs, "say", numbers(last))
    assert.same({ 2, 1, before }, { feeder:openings "ann", feeder:live "ann", resyncs(tabs) })

    wait.wait_until(function() return client:count "said" + again:count "said" >= last end, 5, "all in the room")
    local said = client:data "said"
    for _, text in ipairs(again:data "said") do said[#said + 1] = text end
    assert.same(numbers(last), said)
    assert.equal(0, client:count "resync" + again:count "resync")
  end)

  on_cables("that passes nothing one way is cut off, and what it did not hear of is done once", function()
    serve "triggers were not published"
    local deaf, mute, whole = unpack(nodes)
    local tabs = {}
    for i, node in ipairs(nodes) do tabs[i] = follow(node, "/room") end
    local function step(number) assert.equal(200, publish(whole, tostring(number)).status) end
    step(1)

    local heard, unheard = ask(deaf, "slow", "heard", "a"), ask(mute, "slow", "unheard", "b")
    for _, node in ipairs { deaf, mute } do node:wait_log "slow begins" end
    deaf.seat.back:deafen()
    mute.seat.back:mute()
    local began, found = wait.now(), {}
    local early = ask(deaf, "say", "early", "c") -- its reservation may arrive, of which it never hears
    local last = wait.meanwhile(1, step, function()
      for _, node in ipairs { deaf, mute } do
        if not found[node] and not ready(node) then found[node] = wait.now() - began end
      end
      return found[deaf] and found[mute] and wait.now() - began > 6
    end, FOUND, "both to be cut off")
    for _, client in ipairs { heard, unheard } do assert.equal(UNKNOWN, refusal(client:answer(5))) end
    assert.equal(UNASKED, refusal(early:answer(5)))
    assert.is_true((ready(whole)))
    assert.is_true(tabs[3]:count "said" == last + 1, "what the deaf one published is published")
    assert.is_true(insist(whole, "slow", "heard", "a").duplicate)
    assert.is_nil(insist(whole, "slow", "unheard", "b").duplicate)

    deaf.seat.back:mend()
    mute.seat.back:mend()
    for _, node in ipairs { deaf, mute } do wait_ready(node, true, BACK) end
    insist(deaf, "say", "early", "c")
    assert.is_true(insist(mute, "slow", "unheard", "b").duplicate)
    assert.is_true(insist(deaf, "slow", "heard", "a").duplicate)
    step(last + 1)
    local all = tabs[3]
    wait.wait_until(function() return all:count "said" == last + 4 end, 5, "all of it")
    assert_all(tabs, "said", all:data "said")
    local counted = {}
    for _, text in ipairs(all:data "said") do counted[text] = (counted[text] or 0) + 1 end
    for _, text in ipairs { "heard", "unheard", "early" } do assert.equal(1, counted[text], text) end
    assert.equal(0, resyncs(tabs))
  end)
end)

describe("nodes far from Redis", function()
  it("have one order, keep their links, and tell nobody to re-read", function()
    redis, feeder = redis_server.start(), feeders.open()
    local cluster = clusters.start { nodes = 3, rules = RULES, servers = { redis }, env = { UPSTREAM = feeder.url } }
    cluster:wait_ready()
    age()
    local one, two, three = unpack(cluster.nodes)
    for _, node in ipairs(cluster.nodes) do node.wire:delay(0.05, 0.3) end
    local tabs, rooms = {}, { open(one, "/room"), open(two, "/room") }
    for i, node in ipairs(cluster.nodes) do tabs[i] = open(node, "/mine", { user = "ann" }) end
    for _, list in ipairs { tabs, rooms } do
      for _, tab in ipairs(list) do tab:next("ready", 5) end
    end
    feeder:wait_live("ann", 1)
    wait.pass(1.5) -- what came with the first opening

    local before, asked, began = resyncs(tabs), {}, wait.now()
    local last = wait.meanwhile(0, function(number)
      if number % 10 == 0 then feeder:say("ann", tostring(number / 10)) end -- one behind the other: a way and back each
      for _, node in ipairs(cluster.nodes) do
        local client = http.connect(node.address)
        client:start { method = "POST", path = "/say", body = ("%d from %d"):format(number, node.number) }
        asked[#asked + 1] = client
      end
      if number == 30 then -- to where nobody has the topic yet
        rooms[2]:close()
        rooms[3] = open(three, "/room", { last_event_id = rooms[2].last_id() })
      end
    end, function() return wait.now() - began > LEASE + 1 end, LEASE + 3)
    for _, client in ipairs(asked) do assert.equal(204, client:answer(5).status) end

    local all = rooms[1]
    wait.wait_until(function() return all:count "said" == 3 * last end, 5, "all of it")
    local moved = rooms[2]:data "said"
    assert.is_true(#moved > 20)
    wait.wait_until(function() return rooms[3]:count "said" >= 3 * last - #moved end, 5, "the rest of it")
    for _, text in ipairs(rooms[3]:data "said") do moved[#moved + 1] = text end
    assert.same(all:data "said", moved)
    assert.matches('"resumed":true', rooms[3].events[1].data)
    assert_all(tabs, "say", numbers(math.floor(last / 10)))
    assert.same({ 0, before, 1, 0 }, { resyncs(rooms), resyncs(tabs), feeder:openings "ann", feeder.overlaps })
    for _, node in ipairs(cluster.nodes) do
      assert.equal(0, node:metric "sluice_claims_lost_total")
      assert.is_true((ready(node)))
    end
  end)
end)
