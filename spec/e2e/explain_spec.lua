-- "Why did ann not get it?", asked of a running server: the command, and the page that it asks.

local json = require "cjson.safe"
local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local sse  = require "spec.support.sse"

local RULES = [[
local sluice = require "sluice"
local app = sluice.app "told"
local who = sluice.identity(function(req) return { user = req.query.user } end)
local chat = app:topic("chat:{room}", {
  history = { size = 10, ttl = 60 },
  filter  = function(ev, sub) return ev.type ~= "secret" or sub.user == "bob" end,
})
app:stream("events", { path = "/events", identity = who, topics = function(req) return chat(req.query.room) end })
app:route("say", "POST /say/{room}", { run = function(req, params)
  chat(params.room):emit("secret", req.body)
  return 204
end })
]]

describe("sluice explain", function()
  local server, id

  local function explain(...)
    return e2e.run({ "explain", "--admin", server.admin, ... }, { env = { SLUICE_ADMIN_KEY = "k" } })
  end

  local function get(target, key)
    return http.get(server.admin, target, { Authorization = "Bearer " .. (key or "k") })
  end

  before_each(function()
    server = e2e.server { rules = RULES, conf = 'admin_key = "k"' }
    for _, user in ipairs { "ann", "bob" } do
      local stream = sse.open(server.address, { path = "/events?room=a%2Fb&user=" .. user })
      stream:next "ready"
      if user == "bob" then
        assert.equal(204, http.post(server.address, "/say/a%2Fb", { body = "psst\27[31m" }).status)
        id = stream:next("secret").id
      end
    end
  end)

  it("names the rule, who got it, who did not and why", function()
    local code, output = explain("--topic", "chat:a%2Fb")
    assert.equal(0, code, output)
    assert.matches("\n%d+%-%d%d%-%d%dT[%d:.]+Z  chat:a%%2Fb  secret  id " .. id .. "\n", output)
    assert.matches('  data: "psst\\u001b%[31m"\n', output)
    assert.matches("  emitted by route say %(%S*app%.lua:9%)", output)
    assert.matches("  1 delivered, 1 denied; its topic had 2 subscribers then\n", output)
    assert.matches("  denied: ann on events: filter of topic chat:{room} %(%S*app%.lua:6%) said no\n", output)
    assert.matches("  delivered: bob on events\n", output)
  end)

  it("asks for an id or a user, and prints the page's JSON", function()
    local code, output = explain("--id", id, "--user", "ann", "--json")
    assert.equal(0, code, output)
    local trigger = json.decode(output).apps[1].triggers[1]
    assert.same({ denied = 1 }, trigger.outcomes)
    assert.same({ "ann", "denied", "events" },
                { trigger.who[1].user, trigger.who[1].outcome, trigger.who[1].stream })
    code, output = explain("--user", "ann", "--last", "1")
    assert.equal(0, code)
    assert.matches("denied: ann", output)
    assert.not_matches("bob", output)
  end)

  it("says what is wrong with a question", function()
    local code, output = explain()
    assert.equal(2, code)
    assert.matches("needs %-%-topic NAME, %-%-user NAME or %-%-id ID", output)
    code, output = explain("--user", "ann", "--last", "1000")
    assert.equal(2, code)
    assert.matches("%-%-last takes a number from 1 to 100, not '1000'", output)
    code, output = explain("--id", ("0"):rep(32))
    assert.equal(1, code)
    assert.matches("not of this server", output)
    assert.same({ 0, "app told\n  nothing: no kept trigger or call is what is asked for\n" },
      { explain("--user", "nobody") })
    code, output = explain("--topik", "x")
    assert.equal(2, code)
    assert.matches("%-%-topic", output)
  end)

  it("is a page for those who have the key", function()
    assert.equal(200, get("/explain?topic=chat:a%252Fb").status)
    assert.equal(1, #get("/explain?topic=chat:a%252Fb").json().apps[1].triggers)
    assert.equal(401, get("/explain?user=ann", "wrong").status)
    assert.equal(400, get("/explain").status)
    assert.equal(400, get("/explain?user=").status)
    assert.equal(400, get("/explain?user=%zz").status)
    assert.equal(400, get("/explain?user=ann&last=0").status)
    assert.equal(404, get("/explain?id=nonsense").status)
    assert.equal("foreign_id", get("/explain?id=nonsense").json().error.code)
  end)

  it("keeps as much as the config says, also after a reload", function()
    local path = server.conf
    local conf = assert(io.open(path)):read "*a"
    for i = 1, 5 do http.post(server.address, "/say/a%2Fb", { body = tostring(i) }) end
    local function kept() return #get("/explain?topic=chat:a%252Fb").json().apps[1].triggers end
    assert.equal(6, kept())
    e2e.write(path, conf .. "\nexplain_triggers = 2\n")
    assert.equal(0, (e2e.run({ "reload", "--admin", server.admin }, { env = { SLUICE_ADMIN_KEY = "k" } })))
    assert.equal(2, kept())
    assert.is_number(get("/explain?topic=chat:a%252Fb").json().apps[1].since)
  end)
end)
