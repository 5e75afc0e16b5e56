-- `sluice check`: what would be served, then what is good but hardly meant. Every file in spec/doubtful/ is such a
-- rule file or config, and says at its end what must be said of it, in order: lines `--> LINE: sentence`. A start and a
-- reload log the same.

local e2e  = require "spec.support.e2e"
local tcp  = require "spec.support.tcp"
local tree = require "spec.support.tree"
local wait = require "spec.support.wait"

local HEAD = "\nProbably not meant:\n"

-- What the rule files that are shipped have no default for: keys.
local SECRETS = {}
for _, name in ipairs { "PUBLISH_KEY", "PERSONA_PUBLISH_KEY", "PERSONA_JWT_KEY", "MERCURE_PUBLISHER_JWT_KEY",
                        "MERCURE_SUBSCRIBER_JWT_KEY" } do
  SECRETS[name] = ("k"):rep(40)
end

local function expectation(path)
  local list = {}
  for line in tree.read(path):gmatch "\n%-%-> ([^\n]+)" do list[#list + 1] = path .. ":" .. line end
  assert.is_true(#list > 0)
  return list
end

-- The doubts of an output; where the project lies is left out.
local function doubts(output)
  local list, at, past = {}, output:find(HEAD, 1, true)
  for line in (at and output:sub(past + 1) or ""):gmatch "[^\n]+" do
    list[#list + 1] = line:gsub("^%S*spec/doubtful/", "spec/doubtful/")
  end
  return list
end

local function conf_for(path)
  if path:find "%.conf$" then return e2e.root .. "/" .. path end
  return e2e.write(e2e.folder() .. "/sse.lua.conf",
    ('listen = "127.0.0.1:0" admin = "127.0.0.1:0" rules = %q'):format(e2e.root .. "/" .. path))
end

-- With a limit of descriptors that one of the files is about.
local function check(conf)
  local words = { "sh", "-c", 'ulimit -n "$0" && exec "$@"', conf:find "descriptors" and "100" or "16384" }
  return e2e.run({ "check", "-c", conf }, { under = words, env = SECRETS })
end

describe("a check doubts", function()
  for _, path in ipairs(tree.files("spec/doubtful", { lua = true, conf = true })) do
    it(path:match "([%w_]+)%.%w+$", function()
      local code, output = check(conf_for(path))
      assert.same(expectation(path), doubts(output))
      assert.equal(1, code)
    end)
  end

  local shipped = tree.files("rules", { lua = true })
  for _, path in ipairs(tree.files("examples", { conf = true })) do
    if not path:find "/proxies/" then shipped[#shipped + 1] = path end
  end
  shipped[#shipped + 1] = "sse.lua.conf"
  for _, path in ipairs(shipped) do
    it("nothing of " .. path .. ", which is shipped", function()
      local code, output = check(conf_for(path))
      assert.same({}, doubts(output))
      assert.equal(0, code, output)
    end)
  end
end)

describe("what is doubted", function()
  it("is logged by a start and by a reload, which goes on", function()
    local server = e2e.server { rules = 'local app = require("sluice").app "a"\nlocal all = app:topic "all"\n'
      .. 'app:stream("events", { path = "/events", topics = function() return all() end })\n' }
    local line = 'level=warn msg="probably not meant" why="[^\n]*/app.lua:2: app:topic [^\n]* has no subscribe'
    server:wait_log(line)
    server.process:signal "HUP"
    wait.wait_until(function() return server:log():find("\n[^\n]*msg=reloaded[^\n]*\n[^\n]*" .. line) end, 5, line)
    local code, output = e2e.run { "reload", "--admin", server.admin }
    assert.matches('^reloaded: 1 apps, generation 3\n[^\n]*/app.lua:2: app:topic "all" has no subscribe', output)
    assert.equal(0, code)
  end)
end)

describe("a check", function()
  it("says which Redis servers are meant, however they are spelled, and no password", function()
    local folder = e2e.folder()
    e2e.write(folder .. "/app.lua", 'local app = require("sluice").app "a"\n')
    local function said(redis)
      local conf = e2e.write(folder .. "/sse.lua.conf", 'listen = "127.0.0.1:0"  admin = "127.0.0.1:0"  '
        .. 'rules = "app.lua"  redis_prefix = "shop"  redis = ' .. redis)
      local code, output = e2e.run { "check", "-c", conf }
      assert.equal(0, code, output)
      return output:match "\nredis +(.-)\nlimits"
    end
    assert.equal('redis://127.0.0.1:6379\n          names begin with "shop"; whoever has the same is in one cluster',
                 said '"redis://localuser:s3cret@127.0.0.1/0"')
    assert.equal('redis://10.0.0.7:6379/3, redis-sentinel://s1:26379,s2:5000#main\n          names begin with "shop"; '
      .. 'whoever has the same is in one cluster, and names the same servers: topics are spread over them',
                 said '{ "redis://:s3cret@10.0.0.7/3", "redis-sentinel://u:s3cret@s1,s2:5000/0#main" }')
  end)

  it("opens nothing: what the rules connect to may be away", function()
    local folder = e2e.folder()
    local function checked(url)
      e2e.write(folder .. "/app.lua",
        ('require("sluice").app "app"\nrequire("sluice.redis").connect(%q)\n'):format(url))
      local conf = e2e.write(folder .. "/sse.lua.conf", 'listen = "127.0.0.1:0" admin = {} rules = "app.lua"')
      return e2e.run { "check", "-c", conf }
    end
    local code, output = checked("redis://127.0.0.1:" .. tcp.free_port())
    assert.equal(0, code, output)
    assert.is_nil(output:find("redis cannot be reached", 1, true), output)
    assert.equal(2, (checked "radish://127.0.0.1"))        -- which is looked at all the same
  end)

  it("lists what would be served", function()
    local folder = e2e.folder()
    e2e.write(folder .. "/app.lua", [[
local sluice = require "sluice"
local app  = sluice.app "all"
local who  = sluice.identity(function(req) return { user = req.query.user } end)
local mine = app:topic("user:{user}", { subscribe = sluice.owner "user", history = { size = 300, ttl = 60 } })
local news = app:topic("news", { subscribe = false, filter = function() return true end,
  snapshot = function() return nil end })
app:topic("mode", { subscribe = false, retain = true, limit = { rate = 50 } })
app:topic("desk:{id}", { subscribe = false, audience = { ttl = 5, ask = function() return true end },
  retain = { ttl = 90 } })
app:topic("room:{id}", { subscribe = false, presence = { grace = 7, beat = 30 } })
local feed = app:upstream("feed", { topic = mine, grace = 5, backoff = { min = 0.5, max = 8 },
  key = function(sub) return sub.user end, request = function() return "http://127.0.0.1:9/" end })
feed:on({ "article", "@lost" }, function() end)
app:stream("events", { path = "/events", identity = who, upstreams = { feed }, refusal = "retry", heartbeat = 15,
  queue = { frames = 300, bytes = 4096 }, origins = { "http://a", "http://b" },
  topics = function(_, sub) return { mine(sub.user), news() } end })
app:stream("open", { path = "/open", topics = function() return news() end })
app:route("hello", "POST /hello/{who}", { run = function() return 204 end })
app:static("page", "/page", "public")
app:every("tick", { period = 2.5, run = function() end })
]])
    assert(os.execute("mkdir " .. folder .. "/public") == 0)
    local conf = e2e.write(folder .. "/sse.lua.conf", [[
listen = { "127.0.0.1:8080", "unix:/tmp/s" }  admin = "127.0.0.1:8081"  rules = "app.lua"  streams_per_user = 6
]])
    local code, output = e2e.run { "check", "-c", conf }
    assert.equal((([[
FOLDER/sse.lua.conf is good.

listen    127.0.0.1:8080, unix:/tmp/s
admin     127.0.0.1:8081
limits    10000 streams (6 of one user), 20000 connections, 10000 links
          of an app: 1000000 topics, 128 MiB of memory; of a handler: 10 s, 0.1 s of it running

app all  (FOLDER/app.lua)
  stream     GET    /events                          events           with identity, from http://a, http://b
             upstreams feed; refuses by retry, queue 300 frames and 4096 bytes, heartbeat 15 s
  stream     GET    /open                            open             open to all
             refuses by status, queue 256 frames and 1048576 bytes, heartbeat 20 s
  route      POST   /hello/{who}                     hello            open to all
  static     GET    /page/                           page             open to all, FOLDER/public
  topic      user:{user}                             history 300 for 60 s, subscribe
  topic      news                                    no history, not for the asking, filter, snapshot
  topic      mode                                    no history, not for the asking, retain, limit 50 a second
  topic      desk:{id}                               no history, not for the asking, audience for 5 s, retain for 90 s
  topic      room:{id}                               no history, not for the asking, PRESENCE
  upstream   feed                                    for user:{user}, grace 5 s, backoff 0.5 to 8 s
             handles article, @lost
  timer      tick                                    every 2.5 s
]]):gsub("FOLDER", folder):gsub("PRESENCE", "presence with a grace of 7 s and beats of 30 s")), output)
    assert.equal(0, code)
  end)
end)
