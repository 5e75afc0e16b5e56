-- What is wrong with a config or a rule file is said in one sentence each, with exit code 2, by a check and by a
-- start alike. Every file in spec/bad/ is wrong and says at its end what must be said of it, in order: lines
-- `--> LINE: sentence`, `--> sentence` or `--> ../ANOTHER FILE: sentence`; one that ends in ':' may go on. Rule
-- files have a spec of their own (spec/script/bad_spec.lua); here they go through the binary.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local tree = require "spec.support.tree"

local function expectation(path)
  local list = {}
  for line in tree.read(path):gmatch "\n%-%-> ([^\n]+)" do
    local other = line:find "^%.%./"
    list[#list + 1] = other and "spec/bad/" .. line or path .. (line:find "^%d+: " and ":" or ": ") .. line
  end
  return list
end

-- The lines of the output, as far as something is expected of them; where the project lies is left out.
local function said(output, expected)
  local lines = {}
  for line in output:gmatch "[^\n]+" do
    local want = expected[#lines + 1] or ""
    line = line:gsub("[^%s(]*spec/bad/", "spec/bad/")
    lines[#lines + 1] = (want:find ":$" or want:find "'io'$") and line:sub(1, #want) or line
  end
  return lines
end

-- A start does what a check does until it listens; where each takes seconds, a check will do.
local commands = e2e.instrumented and { "check" } or { "check", "run" }

local function assert_refused(path, conf)
  local expected = expectation(path)
  assert.is_true(#expected > 0)
  for _, command in ipairs(commands) do
    local code, output = e2e.run { command, "-c", conf }
    assert.same(expected, said(output, expected), command)
    assert.equal(2, code)
  end
end

describe("a config file that is wrong", function()
  for _, path in ipairs(tree.files("spec/bad", { conf = true })) do
    it("is refused: " .. path:match "([%w_]+)%.conf$", function() assert_refused(path, path) end)
  end
end)

describe("a rule file that is wrong", function()
  it("is refused by the binary as it is in a spec", function()
    local paths = tree.files("spec/bad", { lua = true })
    assert.is_true(#paths + #tree.files("spec/bad", { conf = true }) >= 40)
    for _, path in ipairs(paths) do
      local conf = ('listen = "127.0.0.1:0" admin = "127.0.0.1:0" rules = %q'):format(e2e.root .. "/" .. path)
      assert_refused(path, e2e.write(e2e.folder() .. "/sse.lua.conf", conf))
    end
  end)
end)

describe("the command line", function()
  local function run(...) return { e2e.run({ ... }, { cwd = e2e.folder() }) } end

  it("is refused where it is wrong, with one sentence", function()
    assert.same({ 2, "sluice: unknown argument 'chekc'; did you mean 'check'?; see sluice --help\n" }, run "chekc")
    assert.same({ 2, "sluice run: 'check' is one word too many; see sluice --help\n" }, run("run", "check"))
    assert.same({ 2, "sluice check: '-c' needs a value; see sluice --help\n" }, run("check", "-c"))
    assert.same({ 2, "sse.lua.conf: cannot be read: No such file or directory\n"
      .. "-c FILE names a config file that is elsewhere; sluice new APP writes one to start from\n" }, run())
    assert.same({ 2, "x.conf: cannot be read: No such file or directory\n" }, run("check", "-c", "x.conf"))
    assert.same({ 2, "/: cannot be read: Is a directory\n" }, run("check", "-c", "/"))
  end)

  it("tells what it is and what it takes", function()
    assert.same({ 0, "sluice 0.1.0\n" }, run "--version")
    local code, help = unpack(run "--help")
    assert.same({ 0, help }, run("check", "--help"))
    assert.same({ 0, help }, run("new", "-h"))
    assert.equal(0, code)
    for _, word in ipairs { "run", "check", "-c FILE", "spec [FILE ...]", "new APP", "conf", "--version", "TERM",
                           "1 a server said no, specs failed, or a check found what is good but probably" } do
      assert.is_truthy(help:find(word, 1, true), word)
    end
  end)

  it("checks a good file without taking an address, and lists what would be served", function()
    local server = e2e.server { rules = 'local app = require("sluice").app "a"\n'
      .. 'app:route("hello", "GET /hello/{who}", { run = function(_, params) return 200, params.who end })' }
    local conf = tree.read(server.conf):gsub('listen = "[^"]+"', ('listen = "%s"'):format(server.address))
    local code, output = e2e.run { "check", "-c", e2e.write(server.folder .. "/taken.conf", conf) }
    assert.equal(0, code)
    assert.matches("taken.conf is good.\n", output)
    assert.matches("\n  route +GET +/hello/{who} +hello +open to all\n", output)
    assert.equal("ann", http.get(server.address, "/hello/ann").body)
  end)

  it("writes a config file that explains every key and is good", function()
    local code, text = e2e.run { "conf" }
    assert.equal(0, code)
    assert.is_truthy(text:find('\nlisten = "127.0.0.1:8080"\n', 1, true))
    local folder = e2e.folder()
    e2e.write(folder .. "/app.lua", 'local app = require("sluice").app "a"\n')
    local conf = e2e.write(folder .. "/sse.lua.conf", text:gsub("\nrules = [^\n]+", '\nrules = "app.lua"'))
    local checked, output = e2e.run { "check", "-c", conf }
    assert.equal(conf .. " is good.", output:match "^[^\n]*")
    assert.equal(0, checked)
  end)
end)
