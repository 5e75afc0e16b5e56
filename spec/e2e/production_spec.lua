-- docs/rules-in-production.md: its commands are run one after the other in a folder of their own, against a server that
-- serves a tab, with notices coming in all the while. A command must succeed unless the page says `exit code N`.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local proc = require "spec.support.proc"
local sse  = require "spec.support.sse"
local tree = require "spec.support.tree"
local wait = require "spec.support.wait"
local unistd = require "posix.unistd"

-- The commands of all blocks, with the exit code that is expected of each.
local function commands()
  local list = {}
  for block in tree.read("docs/rules-in-production.md"):gmatch "```sh\n(.-)```" do
    for line in block:gmatch "[^\n]+" do
      local command = line:gsub("%s+#.*$", "")
      list[#list + 1] = { text = command, code = tonumber(line:match "# exit code (%d)" or 0) }
    end
  end
  return list
end

describe("the page about rules in production", function()
  local folder, environment, ports, app, server, tab, number

  local function notice()
    number = number + 1
    http.post(app.address, "/notice/ann", { body = tostring(number) })
  end

  local function open()
    local stream = sse.open("127.0.0.1:" .. ports[1], { path = "/news/events", headers = { cookie = "user=ann" } })
    stream:next "ready"
    return stream
  end

  -- Runs a command, with a notice now and then if somebody listens.
  local function run(command)
    local text = command:gsub("127%.0%.0%.1:8081", "127.0.0.1:" .. ports[2])
    local process = proc.spawn({ "bash", "-c", text }, { cwd = folder, env = environment })
    while process:alive() do
      if tab then notice() end
      wait.pass(0.1)
    end
    return process.exit_code, process:output()
  end

  local function start()
    server = proc.spawn({ "sluice", "run" }, { cwd = folder, env = environment })
    server:wait_line("msg=serving", 10)
    tab = open()
    tab:next "resync" -- of the link's first opening
  end

  local function configure()
    local text = tree.read(folder .. "/sse.lua.conf"):gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. ports[1])
    e2e.write(folder .. "/sse.lua.conf", (text:gsub("127%.0%.0%.1:8081", "127.0.0.1:" .. ports[2])))
  end

  -- What must be seen after a command, besides its exit code.
  local seen = {
    ["sluice new news"] = function() configure() end,
    ["sluice spec"] = function(output, code)
      if code == 0 then return end
      local listing = tree.read("docs/rules-in-production.md"):match "```text\n(.-)```"
      assert.is_truthy(output:find(listing, 1, true), output)
    end,
    ["sluice record -o monday.jsonl --for 2"] = function() assert.is_true(tab:count "notice-added" > 5) end,
    ["sluice replay monday.jsonl --expect monday.jsonl"] = function(output)
      assert.matches("notice%-added", output)
      assert.matches("notice%-new", output)
    end,
    ["sluice reload --differences"] = function(output)
      local both, different = output:match "(%d+) events in both, (%d+) of them different"
      assert.is_true(tonumber(both) > 5 and both == different, output)
      assert.matches("%- user:ann notice%-added", output)
      assert.matches("%+ user:ann notice%-new", output)
      assert.equal(0, tab:count "notice-new")
    end,
    ["sluice reload --promote"] = function()
      notice()
      tab:next "notice-new"
    end,
    ["git revert --no-edit HEAD"] = function() server.reverted = true end,
    ["sluice reload"] = function()
      if not server.reverted then return end
      notice()
      tab:next "notice-added"
    end,
    ["sluice explain --user ann --last 5"] = function(output)
      assert.matches("notice%-added", output)
      assert.matches("rules/news.lua:%d+", output)
    end,
    ["curl -s http://127.0.0.1:8081/ready"] = function(output)
      assert.matches('"generation":4', output)
      assert.matches('"quarantined":%[%]', output)
    end,
    ["curl -s http://127.0.0.1:8081/metrics"] = function(output)
      for name in tree.read("docs/rules-in-production.md"):gmatch "`(sluice_[%l_]+)`" do
        assert.is_truthy(output:find("\n" .. name .. "[{ ]"), name)
      end
    end,
  }

  it("shows commands that do what it says", function()
    local free = io.popen(e2e.root .. "/build/bench/load ports 2")
    ports = { free:read "*l", free:read "*l" }
    free:close()
    number, folder = 0, e2e.folder()
    app = e2e.server { rules = { ["app.lua"] = "spec/fixtures/news_server.lua" } }
    local bin = e2e.folder()
    unistd.link(e2e.binary, bin .. "/sluice", true)
    environment = e2e.environment {
      PATH = bin .. ":" .. os.getenv "PATH", NEWS_URL = "http://" .. app.address, HOME = folder,
      GIT_AUTHOR_NAME = "A Team", GIT_AUTHOR_EMAIL = "team@localhost",
      GIT_COMMITTER_NAME = "A Team", GIT_COMMITTER_EMAIL = "team@localhost",
      LUA_PATH = false, LUA_CPATH = false,
    }
    local ran = {}
    for _, command in ipairs(commands()) do
      ran[command.text] = true
      if command.text == "sluice run &" then
        start()
      else
        local code, output = run(command.text)
        assert.equal(command.code, code, command.text .. "\n" .. output)
        if seen[command.text] then seen[command.text](output, code) end
      end
    end
    for text in pairs(seen) do assert.is_true(ran[text], text .. " is not on the page") end
    assert.is_nil(tab.cut)
    server:signal "TERM"
    assert.equal(0, server:wait(10), server:output())
  end)
end)
