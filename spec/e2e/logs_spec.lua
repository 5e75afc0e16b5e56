-- The log in a file: appended to, and opened again when logrotate says so.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local wait = require "spec.support.wait"

local RULES = [[
local sluice = require "sluice"
local log = require "sluice.log"
local app = sluice.app "logged"
app:route("say", "POST /say/{number}", { run = function(_, params)
  log.info("line", { number = params.number })
  return 204
end })
]]

local function read(path)
  local file = io.open(path)
  return file and file:read "*a" or ""
end

local function numbers(text)
  local list = {}
  for number in text:gmatch "number=(%d+)" do list[#list + 1] = tonumber(number) end
  return list
end

describe("log_file", function()
  local logs = { "sluice.log", "sluice.log.1" }

  local function start(conf, errors)
    local server = e2e.server { rules = RULES, conf = conf or 'log_file = "sluice.log"', logs = logs, errors = errors }
    return server, server.folder .. "/sluice.log"
  end

  it("takes all lines in place of stderr, and keeps what stood in it", function()
    local server, path = start()
    http.post(server.address, "/say/1")
    assert.matches("msg=serving", read(path))
    assert.same({ 1 }, numbers(read(path)))
    assert.equal("", server.process:output())
    server:stop()
    server:start()
    wait.wait_until(function() return select(2, read(path):gsub("msg=serving", "")) == 2 end)
    assert.same({ 1 }, numbers(read(path)))
  end)

  for _, name in ipairs { "USR1", "HUP" } do
    it("is opened again at " .. name .. ": no line is lost, none is written twice", function()
      local server, path = start()
      local number = 0
      local function say()
        number = number + 1
        http.post(server.address, "/say/" .. number)
      end
      for _ = 1, 20 do say() end
      assert(os.rename(path, path .. ".1"))
      for _ = 1, 20 do say() end
      assert.equal(40, #numbers(read(path .. ".1")))
      server.process:signal(name)
      wait.wait_until(function()
        say()
        return #numbers(read(path)) > 0
      end)
      for _ = 1, 20 do say() end
      local all = numbers(read(path .. ".1") .. read(path))
      assert.equal(number, #all)
      for i = 1, number do assert.equal(i, all[i]) end
      assert.is_nil(server.process:output():find "msg=")
    end)
  end

  it("that cannot be opened again goes on where it went, and says so there", function()
    local server, path = start(nil, "the log is not opened again")
    assert(os.rename(path, path .. ".1"))
    assert(os.execute("mkdir " .. path) == 0)
    server.process:signal "USR1"
    wait.wait_until(function() return read(path .. ".1"):find "the log is not opened again" end)
    assert.matches('log_file = .-sluice.log.- cannot be opened: Is a directory', read(path .. ".1"))
    http.post(server.address, "/say/7")
    assert.same({ 7 }, numbers(read(path .. ".1")))
    os.execute("rmdir " .. path)
    server.process:signal "USR1"
    wait.wait_until(function()
      http.post(server.address, "/say/8")
      return numbers(read(path))[1] == 8
    end)
  end)

  it("that is a pipe which nobody reads is such a file, and holds nothing up", function()
    local server, path = start(nil, "the log is not opened again")
    assert(os.rename(path, path .. ".1"))
    assert(os.execute("mkfifo " .. path) == 0)
    server.process:signal "USR1"
    wait.wait_until(function() return read(path .. ".1"):find "the log is not opened again" end)
    assert.equal(204, http.post(server.address, "/say/9").status)
    assert.same({ 9 }, numbers(read(path .. ".1")))
    os.remove(path)
  end)

  it("follows the config at a reload, back to stderr too", function()
    local server, path = start()
    e2e.write(server.conf, (read(server.conf):gsub("log_file = [^\n]+", "")))
    server.process:signal "HUP"
    wait.wait_until(function()
      http.post(server.address, "/say/3")
      return numbers(server.process:output())[1] == 3
    end)
    assert.matches("msg=reloaded", read(path))
  end)

  it("that cannot be opened is a start error", function()
    local folder = e2e.folder()
    local rules  = e2e.write(folder .. "/app.lua", 'local app = require("sluice").app "a"\n')
    local conf = ('listen = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\nrules = %q\nlog_file = "none/sluice.log"\n')
      :format(rules)
    local code, output = e2e.run { "run", "-c", e2e.write(folder .. "/sse.lua.conf", conf) }
    assert.equal(2, code)
    local said = ('log_file = "%s/none/sluice.log" cannot be opened: No such file'):format(folder)
    assert.is_truthy(output:find(said, 1, true), output)
  end)
end)
