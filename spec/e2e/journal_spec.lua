-- A spec that expects another journal than came is shown the difference, one line an entry. Here such specs run, and
-- what is printed is compared to the letter.

local e2e = require "spec.support.e2e"

local RULES = [[
local app = require("sluice").app "news"
local news = app:topic("news", { subscribe = false })
app:stream("events", { path = "/events", topics = function() return news() end })
app:route("say", "POST /say/{what}", { run = function(req, params) news():emit(params.what, req.body) return 204 end })
]]

-- What is printed of a spec with this body, from its assertion's place on. Two tabs are open, `say` emits.
local function printed(body)
  local folder = e2e.folder()
  e2e.write(folder .. "/news.lua", RULES)
  e2e.write(folder .. "/news_spec.lua", [[
    local rig = require "sluice.rig"
    it("differs", function()
      local world = rig.load "news.lua"
      local function say(what, data) world:request("POST", "/say/" .. what, { body = data }) end
      world:connect "/events" world:connect("/events", { name = "ann's" })
]] .. body .. "\nend)")
  local code, output = e2e.run({ "spec", "news_spec.lua" }, { cwd = folder, timeout = 30 })
  assert.equal(1, code, output)
  return (output:match "\nnews_spec.lua:%d+: (.*)$" or output)
end

describe("a journal", function()
  it("is told entry by entry: what is missing, what came instead, and little else", function()
    assert.equal([[
Expected another journal (- expected, + came):
  who    what   topic
  ... 2 the same
  tab 1  one    news
  ann's  one    news
  tab 1  two    news
- tab 1  three  news
  ann's  two    news
+ tab 1  three  news
  ann's  three  news
  tab 1  four   news
  ann's  four   news
  ... 2 the same
]], printed [[
      for _, what in ipairs { "one", "two", "three", "four", "five" } do say(what, "") end
      assert.same({
        { who = "tab 1", what = "ready" },
        { who = "ann's", what = "ready" },
        { who = "tab 1", what = "one", topic = "news" },
        { who = "ann's", what = "one", topic = "news" },
        { who = "tab 1", what = "two", topic = "news" },
        { who = "tab 1", what = "three", topic = "news" },
        { who = "ann's", what = "two", topic = "news" },
        { who = "ann's", what = "three", topic = "news" },
        { who = "tab 1", what = "four", topic = "news" },
        { who = "ann's", what = "four", topic = "news" },
        { who = "tab 1", what = "five", topic = "news" },
        { who = "ann's", what = "five", topic = "news" },
      }, world:journal("who", "what", "topic"))
]])
  end)

  it("keeps values apart that look alike, and the spec's own words in front", function()
    assert.equal([[
in order
Expected another journal (- expected, + came):
  what   data
- ready  nil
- one    1
- two    a
+ one    "1"
+ one    "1"
+ two    " a\nb"
+ two    " a\nb"
]], printed [[
      say("one", "1") say("two", " a\nb")
      local came = world:journal("what", "data")
      table.remove(came, 1) table.remove(came, 1)
      assert.same({ { what = "ready" }, { what = "one", data = 1 }, { what = "two", data = "a" } }, came, "in order")
]])
    assert.equal([[
Expected another journal (- expected, + came):
  what
- ready
- ready
+ 7
]], printed [[ assert.same(world:journal("what"), { { what = 7 } }) ]])
  end)

  it("tells how to leave out what an expectation does not name", function()
    local text = printed [[ assert.same({ { who = "tab 1", what = "ready" } }, world:journal()) ]]
    assert.matches("^Expected another journal %(%- expected, %+ came%):\n  who +what +data +cursor\n", text)
    assert.matches('\nworld:journal%("who", "what"%) gives entries with these fields alone\n$', text)
  end)

  it("has no other fields", function()
    assert.equal('world:journal: there is no field "whom"; there are: who, what, topic, data, cursor\n',
      printed [[ world:journal("who", "whom") ]])
  end)

  it("leaves other comparisons as they are", function()
    assert.matches("^Expected objects to be the same.\nPassed in:\n%(table: .-%) {\n %*%[1%] = 2 }\nExpected:\n",
      printed [[ assert.same({ 1 }, { 2 }) ]])
    assert.matches("^Expected objects to not be the same.\n",
      printed [[ assert.are_not.same({}, world:journal("who")) assert.are_not.same({ 1 }, { 1 }) ]])
  end)
end)
