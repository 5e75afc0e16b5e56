-- `sluice docs`: the channels pages of a config's rules, or of files that are named.

local e2e  = require "spec.support.e2e"
local tree = require "spec.support.tree"

local function rules(name, more)
  local head = 'local app = require("sluice").app %q\napp:stream("s", { path = "/%s" })\n'
  return head:format(name, name) .. (more or "")
end

describe("sluice docs", function()
  local folder

  before_each(function() folder = e2e.folder() end)

  local function write(name, text) return e2e.write(folder .. "/" .. name, text) end

  it("writes the page of each file that is named, one after the other, by the standards", function()
    local one, two = write("one.lua", rules "one"), write("two.lua", rules "two")
    local code, output = e2e.run({ "docs", one, "two.lua" }, { cwd = folder })
    assert.equal(0, code, output)
    assert.truthy(output:find("^# `one`: channels\n.-\n### `GET /one`\n.-\n\n# `two`: channels\n.-\n### `GET /two`\n"))
    assert.truthy(output:find("after a silence of 20 s", 1, true))
    local _, first = e2e.run { "docs", one }
    local _, second = e2e.run { "docs", two }
    assert.equal(output, first .. "\n" .. second)
  end)

  it("writes those of the config, with its defaults, and opens none of its listeners", function()
    write("one.lua", rules "one")
    write("two.lua", rules "two")
    local conf = write("sse.lua.conf",
      'listen = "192.0.2.1:1"\nadmin = {}\nheartbeat = 7\nrules = { "two.lua", "one.lua" }\n')
    local code, output = e2e.run({ "docs" }, { cwd = folder })
    assert.equal(0, code, output)
    assert.truthy(output:find("^# `two`: channels\n.*after a silence of 7 s.*\n\n# `one`: channels\n"))
    assert.same({ 0, output }, { e2e.run { "docs", "-c", conf } })
  end)

  it("writes the pages of the examples as they are in docs/", function()
    for _, name in ipairs { "board", "posta" } do
      local code, output = e2e.run({ "docs", "rules/" .. name .. ".lua" }, { env = { PUBLISH_KEY = "another-key" } })
      assert.equal(0, code, output)
      assert.equal(tree.read("docs/channels/" .. name .. ".md"), output)
    end
  end)

  it("says what is wrong, and writes nothing", function()
    local good, bad = write("good.lua", rules "good"), write("bad.lua", rules("bad", "app:topic()\n"))
    local code, output = e2e.run { "docs", good, bad }
    assert.equal(2, code)
    assert.matches("^%S*bad.lua:3: app:topic nil: expected a pattern [^\n]*\n$", output)
    code, output = e2e.run({ "docs", "nowhere.lua" }, { cwd = folder })
    assert.same({ 2, 'the command line: rules: no file matches "nowhere.lua"\n' }, { code, output })
    code, output = e2e.run { "docs", "-c", "x.conf", good }
    assert.same({ 2, "sluice docs: -c and rule files both name the rules; see sluice --help\n" }, { code, output })
    code, output = e2e.run { "docs", "--josn" }
    assert.same({ 2, "sluice docs: unknown option '--josn'; see sluice --help\n" }, { code, output })
  end)
end)
