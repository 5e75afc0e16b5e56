-- The README's rule file, its spec and its commands are run as they stand.

local rig  = require "sluice.rig"
local e2e  = require "spec.support.e2e"
local proc = require "spec.support.proc"
local stat = require "posix.sys.stat"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The block of Lua whose first line is a comment that begins with the name.
local function block(name)
  for code in read("README.md"):gmatch "```lua\n(.-)```" do
    if code:find("-- " .. name, 1, true) == 1 then return code end
  end
  error("README.md has no block " .. name)
end

describe("the README", function()
  it("shows a rule file of twenty lines that loads, and a spec of it that passes", function()
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write(block "rules/news.lua")
    file:close()
    local run = {}
    local environment = setmetatable({
      assert = assert,
      describe = function(_, body) body() end,
      it = function(_, body) run[#run + 1] = body end,
      require = function(name)
        if name ~= "sluice.rig" then return require(name) end
        return { load = function() return rig.load(path) end }
      end,
    }, { __index = _G })
    setfenv(assert(loadstring(block "spec/news_spec.lua", "@README.md")), environment)()
    assert.equal(1, #run)
    for _, body in ipairs(run) do setfenv(body, environment)() end
    os.remove(path)
  end)

  it("shows commands that work one after the other in an empty folder", function()
    local commands, folder, ran = read("README.md"):match "```sh\n(sluice new .-)```", e2e.folder(), {}
    for words in commands:gmatch "sluice ([^\n#]-) *#[^\n]*\n" do
      local list = {}
      for word in words:gmatch "%S+" do list[#list + 1] = word end
      ran[#ran + 1] = list[1]
      if list[1] == "run" then break end -- what check has loaded
      local code, output = e2e.run(list, { cwd = folder, timeout = 30 })
      assert.equal(0, code, output)
    end
    assert.same({ "new", "spec", "check", "run" }, ran)
  end)

  it("shows nodes on one Redis that hear each other", function()
    local folder, ports = e2e.folder(), {}
    local function here(text)                            -- on ports that are free
      return (text:gsub("%f[%d](%d%d%d%d)%f[^%d]", function(port)
        if port ~= "6379" and not port:find "^8[01]8[01]$" then return end
        ports[port] = ports[port] or tostring(tcp.free_port())
        return ports[port]
      end))
    end
    stat.mkdir(folder .. "/rules")
    e2e.write(folder .. "/rules/talk.lua", block "rules/talk.lua")
    e2e.write(folder .. "/sse.lua.conf", here(block "sse.lua.conf"))
    local code, checked = e2e.run({ "check" }, { cwd = folder })
    assert.equal(0, code, checked)
    -- As who pastes it: no command waits for more than the one before it says.
    local stay, said, process = 0, {}, nil
    for line in (read("README.md"):match "```sh\n(redis%-server .-)```"):gmatch "[^\n]+" do
      local command, behind = here(line:match "^(.-) *#"):gsub(" &$", "")
      process = proc.spawn({ "bash", "-c", (command:gsub("%f[%w]sluice ", e2e.binary .. " ")) },
                           { cwd = folder, env = e2e.environment() })
      if behind == 1 then
        stay = stay + 1
      elseif not command:find "^curl %-N" then
        assert.equal(0, process:wait(20), process:output())
        said[#said + 1] = process:output()
      end
    end
    assert.equal(3, stay)
    assert.matches('"ready":true', said[1])
    wait.wait_until(function() return process:output():find "event: said\ndata: hello\n" end, 10, "what was said")
  end)

  it("lists the commands that there are", function()
    local _, help = e2e.run { "--help" }
    for name in help:gmatch "\n  sluice %[?(%l+)%]?" do
      assert.is_truthy(read("README.md"):find("\n| `sluice " .. name .. "` | %u"), name)
    end
    for name in read("README.md"):gmatch "\n| `sluice (%l+)`" do
      assert.is_truthy(help:find("\n  sluice %[?" .. name .. "%f[%W]"), name)
    end
  end)
end)
