-- Several workers on the same addresses under one master: who gets what, signals, ends of either.

local e2e     = require "spec.support.e2e"
local http    = require "spec.support.http"
local manager = require "spec.support.manager"
local redis   = require "spec.support.redis"
local signal  = require "posix.signal"
local socket  = require "posix.sys.socket"
local sse     = require "spec.support.sse"
local tcp     = require "spec.support.tcp"
local unistd  = require "posix.unistd"
local wait    = require "spec.support.wait"

local RULES = [[
local sluice  = require "sluice"
local app = sluice.app "many"
local all = app:topic("all", { subscribe = false })
app:stream("events", { path = "/events", topics = function() return all() end })
app:route("say", "POST /say", { run = function(req) all():emit("said", req.body) return 204 end })
app:route("log", "POST /log/{text}", { run = function(_, params)
  require("sluice.log").info("line", { text = params.text })
  return 204
end })
app:route("version", "GET /version", { run = function() return 200, "one" end })
]]

local WORKERS = 3

-- The config's lines about them: they share a Redis server of the test.
local function conf_of_workers()
  return ("workers = %d\nredis = %q\n"):format(WORKERS, redis.start().url)
end

local function is_alive(pid) return signal.kill(pid, 0) == 0 end

-- What the log says of each worker, by its index: `admin` and, of the process that is there, `pid`.
local function workers_of(server)
  local found = {}
  for i = 0, WORKERS - 1 do found[i] = {} end
  for line in server:log():gmatch "[^\n]+" do
    local index = tonumber(line:match " worker=(%d+)")
    if index and line:find 'msg="a worker starts"' then found[index].pid = tonumber(line:match "pid=(%d+)") end
    if index and line:find "listener=admin" then found[index].admin = line:match "address=(%S+)" end
  end
  return found
end

local function start(options)
  options = options or {}
  options.rules, options.conf = options.rules or RULES, conf_of_workers() .. (options.conf or "")
  local server = e2e.server(options)
  server:wait_log 'msg="all workers serve"'
  server.workers = workers_of(server)
  return server
end

local function ready(admin) return http.get(admin, "/ready").json() end

-- Waits until each worker's /ready is as `is(answer)` asks.
local function wait_for_all(server, is, what)
  wait.wait_until(function()
    for i = 0, WORKERS - 1 do
      if not is(ready(workers_of(server)[i].admin)) then return false end
    end
    return true
  end, 5, what)
end

-- Opens streams until each worker has one; returns them, and by index one of each.
local function open_on_all(server)
  local tabs, of = {}, {}
  for _ = 1, 200 do
    local tab = sse.open(server.address)
    tab:next "ready"
    tabs[#tabs + 1] = tab
    local missing = false
    for i = 0, WORKERS - 1 do
      if not of[i] and ready(server.workers[i].admin).subscribers > 0 then of[i] = tab end
      missing = missing or not of[i]
    end
    if not missing then return tabs, of end
  end
  error "200 streams and not one on each worker"
end

local function rewrite(server, from, to)
  local text = RULES:gsub(from, to)
  e2e.write(server.folder .. "/rules/app.lua", text)
end

local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

describe("workers", function()
  it("share the connections, and say which they are", function()
    local server = start()
    local tabs = open_on_all(server)
    local sum = 0
    for i = 0, WORKERS - 1 do
      local answer = ready(server.workers[i].admin)
      assert.same({ index = i, count = WORKERS }, answer.worker)
      sum = sum + answer.subscribers
    end
    assert.equal(#tabs, sum)
    for line in server:log():gmatch "[^\n]*listener=[^\n]*" do assert.matches(" worker=%d ", line) end
    assert.equal(WORKERS, count(server:log(), "address=" .. server.address:gsub("%.", "%%.") .. " listener=public"))
  end)

  it("give a trigger of one to the streams of all, in one order", function()
    local server = start()
    wait_for_all(server, function(answer) return answer.ready end, "all workers to be on Redis")
    local tabs, said = open_on_all(server), {}
    for i = 1, 20 do
      http.post(server.address, "/say", { body = tostring(i) })
      said[i] = tostring(i)
    end
    for _, tab in ipairs(tabs) do assert.same(said, tab:wait_count("said", 20, 5)) end
  end)

  it("say which they are in JSON, too", function()
    local server = e2e.server { rules = RULES, conf = conf_of_workers() .. 'log_format = "json"' }
    server:wait_log '"msg":"all workers serve"'
    assert.matches('"msg":"serving","worker":2,', server:log())
  end)

  it("all reload at HUP, or all refuse what is wrong", function()
    local server = start()
    rewrite(server, '"one"', '"two"')
    server.process:signal "HUP"
    wait_for_all(server, function(answer) return answer.generation == 2 end, "a second generation")
    for _ = 1, 20 do assert.equal("two", http.get(server.address, "/version").body) end
    server.errors = "not reloaded"
    e2e.write(server.folder .. "/rules/app.lua", "this is no Lua")
    server.process:signal "HUP"
    wait_for_all(server, function(answer) return answer.reload.good == false end, "refusals")
    for _ = 1, 20 do assert.equal("two", http.get(server.address, "/version").body) end
  end)

  it("that are not ready yet when HUP comes reload once they are", function()
    local server = e2e.server { rules = RULES .. "\nfor _ = 1, 3e7 do end\n", conf = conf_of_workers() }
    server:wait_log 'msg="a worker starts" worker=2'
    server.process:signal "HUP"
    server:wait_log('msg="all workers serve"', 10)
    wait_for_all(server, function(answer) return answer.generation == 2 end, "a second generation")
  end)

  it("that are not ready yet when TERM comes end", function()
    local server = e2e.server { rules = RULES .. "\nfor _ = 1, 3e7 do end\n", conf = conf_of_workers() }
    server:wait_log 'msg="a worker starts" worker=2'
    server.process:signal "TERM"
    assert.equal(0, (server.process:wait(5)))
    assert.matches('msg="a worker ended" worker=2 signal=15', server:log())
  end)

  it("drain at TERM, all of them, with one exit code", function()
    local server = start()
    local tabs = open_on_all(server)
    server.process:signal "TERM"
    for _, tab in ipairs(tabs) do
      tab:wait_end(10)
      assert.is_nil(tab.cut)
      assert.is_number(tab.retry)
    end
    assert.equal(0, (server.process:wait(10)))
    assert.equal(WORKERS, count(server:log(), "msg=drained"))
    for i = 0, WORKERS - 1 do assert.is_false(is_alive(server.workers[i].pid)) end
  end)

  it("end at once by a second TERM to the master, not by one of their own", function()
    local server = start { rules = RULES .. [[
app:route("sleep", "POST /sleep", { run = function()
  require("sluice.log").info("asleep", { seconds = 8 })
  require("sluice.time").sleep(8)
  return 204
end })
]] }
    for _ = 1, 30 do http.connect(server.address):start { method = "POST", path = "/sleep" } end
    wait.wait_until(function() return count(server:log(), "seconds=8") == 30 end, 5, "all requests to be under way")
    server.process:signal "TERM"
    wait.wait_until(function() return count(server:log(), "msg=draining") == WORKERS end)
    for i = 0, WORKERS - 1 do signal.kill(server.workers[i].pid, signal.SIGTERM) end
    wait.pass(0.3)
    for i = 0, WORKERS - 1 do assert.is_true(is_alive(server.workers[i].pid)) end
    server.process:signal "TERM"
    assert.equal(0, (server.process:wait(2)))
    assert.is_truthy(server:log():find "ended at once by a second signal")
  end)

  it("are killed where they do not end in time", function()
    local server = start { conf = "drain_timeout = 0.2" }
    signal.kill(server.workers[2].pid, signal.SIGSTOP)
    server.process:signal "TERM"
    assert.equal(1, (server.process:wait(5)))
    assert.matches('msg="workers that do not end are killed" workers=1', server:log())
    assert.is_false(is_alive(server.workers[2].pid))
    server:kill()
  end)

  it("open the log again at USR1, each and the master", function()
    local server = start { conf = 'log_file = "sluice.log"', logs = { "sluice.log", "sluice.log.1" } }
    local path = server.folder .. "/sluice.log"
    assert(os.rename(path, path .. ".1"))
    server.process:signal "USR1"
    local function has(text)
      local file = io.open(path)
      return file and file:read("*a"):find(text, 1, true)
    end
    wait.wait_until(function()
      for i = 1, 20 do http.post(server.address, "/log/after" .. i) end
      return has "worker=0 " and has "worker=1 " and has "worker=2 "
    end, 5, "lines of each worker in the new file")
    for i = 1, 300 do http.post(server.address, "/log/whole" .. i) end
    server:stop()
    for line in assert(io.open(path)):lines() do assert.matches("^ts=%S+ level=%l+ msg=", line) end
    assert.is_truthy(has 'msg="all workers ended"')
  end)

  it("accept from one Unix socket, which goes with them", function()
    local folder = e2e.folder()
    local path = folder .. "/public"
    local server = start { conf = ('listen = "unix:%s"\nadmin = "unix:%s/admin"'):format(path, folder) }
    for _ = 1, 20 do assert.equal("one", http.get("unix:" .. path, "/version").body) end
    for i = 0, WORKERS - 1 do
      assert.equal(i, ready(("unix:%s/admin%s"):format(folder, i > 0 and "." .. i or "")).worker.index)
    end
    server:stop()
    for _, name in ipairs { "public", "admin", "admin.1", "admin.2" } do
      assert.is_nil(unistd.access(folder .. "/" .. name, "f"))
    end
  end)

  it("are refused a port on which others share already", function()
    local server = start()
    local conf = server.folder .. "/other.conf"
    local text = ('listen = %q\nadmin = "127.0.0.1:0"\nrules = "rules/app.lua"\n'):format(server.address)
    e2e.write(conf, text .. conf_of_workers())
    local code, output = e2e.run { "run", "-c", conf }
    assert.same({ 2, ("cannot listen on %s: the port is taken\n"):format(server.address) }, { code, output })
  end)
end)

describe("a worker", function()
  it("that is killed is begun anew, and the others' streams go on", function()
    local server = start { errors = 'msg="a worker ended" worker=1 signal=9' }
    local _, of = open_on_all(server)
    local from = wait.now()
    signal.kill(server.workers[1].pid, signal.SIGKILL)
    of[1]:wait_end(5)
    server:wait_log 'msg="a worker is begun again" worker=1 in_ms=1000'
    wait.wait_until(function() return count(server:log(), "msg=serving worker=1") == 2 end, 5, "a new worker 1")
    assert.is_true(wait.now() - from >= 0.9)
    assert.not_equal(server.workers[1].pid, workers_of(server)[1].pid)
    assert.equal(1, ready(workers_of(server)[1].admin).worker.index)
    for _ = 1, 30 do http.post(server.address, "/say", { body = "still there" }) end
    assert.equal("still there", of[0]:next("said").data)
    assert.equal("still there", of[2]:next("said").data)
    signal.kill(workers_of(server)[1].pid, signal.SIGKILL)
    server:wait_log 'msg="a worker is begun again" worker=1 in_ms=2000'
  end)

  it("that drains by itself is begun anew", function()
    local server = start()
    signal.kill(server.workers[2].pid, signal.SIGTERM)
    wait.wait_until(function() return count(server:log(), "msg=serving worker=2") == 2 end, 5, "a new worker 2")
    assert.matches('level=warn msg="a worker ended" worker=2 code=0', server:log())
  end)

  it("drains when its master is killed", function()
    local server = start()
    local tabs = open_on_all(server)
    signal.kill(server.process.pid, signal.SIGKILL)
    for _, tab in ipairs(tabs) do
      tab:wait_end(10)
      assert.is_nil(tab.cut)
    end
    for i = 0, WORKERS - 1 do
      wait.wait_until(function() return not is_alive(server.workers[i].pid) end, 5, "the end of worker " .. i)
    end
    assert.equal(WORKERS, count(server:log(), "msg=drained"))
    server:kill()
  end)
end)

describe("a start with workers", function()
  local function conf_of(rules, more)
    local folder = e2e.folder()
    local path = e2e.write(folder .. "/app.lua", rules)
    local text = ('listen = "127.0.0.1:0"\nrules = %q\n'):format(path) .. conf_of_workers() .. more
    return e2e.write(folder .. "/sse.lua.conf", text), path
  end

  it("ends with what is wrong with the rules, said once", function()
    local conf, path = conf_of("this is no Lua", 'admin = "127.0.0.1:0"\nlog_level = "error"')
    local code, output = e2e.run { "run", "-c", conf }
    assert.equal(2, code)
    assert.equal(1, count(output, "\n"), output)
    assert.equal(1, (output:find(path .. ":1: ", 1, true)), output)
  end)

  it("ends whole where one of them cannot listen", function()
    local port = tcp.free_port()
    local last  = "127.0.0.1:" .. port + 2
    local taken = assert(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0))
    assert(socket.bind(taken, { family = socket.AF_INET, addr = "127.0.0.1", port = port + 2 }))
    assert(socket.listen(taken, 1))
    local conf = conf_of(RULES, ('admin = "127.0.0.1:%d"'):format(port))
    local code, output = e2e.run { "run", "-c", conf }
    unistd.close(taken)
    assert.equal(2, code)
    assert.is_truthy(output:find("cannot listen on " .. last .. ": the port is taken", 1, true), output)
    assert.matches('msg="all workers ended" code=2', output)
  end)
end)

describe("the commands", function()
  local function run(server, command)
    local code, output = e2e.run { command, "-c", server.conf }
    return { code, output }
  end

  local function start_on_files()
    local folder = e2e.folder()
    return start { conf = ('admin = "unix:%s/admin"'):format(folder) }
  end

  it("reload all workers, or one, and tell what each said", function()
    local server = start_on_files()
    local good = "reloaded: 1 apps, generation %d\n"
    assert.same({ 0, ("worker 0:\n%sworker 1:\n%sworker 2:\n%s"):format(good, good, good):format(2, 2, 2) },
                run(server, "reload"))
    local code, output = e2e.run { "reload", "--worker", "2", "-c", server.conf }
    assert.same({ 0, good:format(3) }, { code, output })
    server.errors = "not reloaded"
    e2e.write(server.folder .. "/rules/app.lua", "this is no Lua")
    local refused = run(server, "reload")
    assert.equal(1, refused[1])
    for i = 0, 2 do assert.matches("worker " .. i .. ":\n[^\n]*app.lua:1: ", refused[2]) end
  end)

  it("refuse another number of workers, which takes a restart", function()
    local server = start_on_files()
    server.errors = "not reloaded"
    local text = assert(io.open(server.conf)):read("*a"):gsub("workers = 3", "workers = 2")
    e2e.write(server.conf, text)
    local answer = run(server, "reload")
    assert.equal(1, answer[1])
    assert.matches("workers is 2 now, and runs as 3: that takes a restart; put it back to reload the rest", answer[2])
  end)

  it("explain from all workers, and record from one", function()
    local server = start_on_files()
    open_on_all(server)
    for _ = 1, 30 do http.post(server.address, "/say", { body = "x" }) end
    local code, output = e2e.run { "explain", "--topic", "all", "-c", server.conf }
    assert.equal(0, code)
    for i = 0, 2 do assert.matches("worker " .. i .. ":\n", output) end
    local tape = server.folder .. "/tape"
    local _, said = e2e.run { "record", "-o", tape, "--for", "0.2", "-c", server.conf }
    assert.matches("of 3 workers this is the first; %-%-worker names another", said)
    assert.is_truthy(unistd.access(tape, "r"))
  end)

  it("say which workers there are", function()
    local server = start_on_files()
    assert.same({ 2, "sluice: --worker takes a number from 0 to 2, not '3'\n" },
                { e2e.run { "reload", "--worker", "3", "-c", server.conf } })
    assert.same({ 2, "sluice: --admin names one worker's listener, so --worker says nothing more\n" },
                { e2e.run { "reload", "--worker", "1", "--admin", server.admin, "-c", server.conf } })
    local checked = run(server, "check")
    assert.matches("\nworkers   3; the admin listener and the limits are each worker's\n", checked[2])
  end)
end)

describe("under systemd, workers", function()
  it("are ready when all are, told by the master alone, and one that hangs is begun anew", function()
    local notify = manager.open(e2e.folder())
    local server = start { env = { NOTIFY_SOCKET = notify.path, WATCHDOG_USEC = "600000" }, errors = "worker=1 " }
    -- What is said is read all the while: who says it waits for that.
    local function said(pattern)
      return wait.wait_until(function() return notify:find(pattern) end, 5, pattern)
    end
    local function logged(pattern, times)
      wait.wait_until(function()
        notify:take()
        return count(server:log(), pattern) == (times or 1)
      end, 5, pattern)
    end
    said "^READY=1\nSTATUS=3 of 3 workers are there; serving 1 apps, generation 1$"
    wait.wait_until(function() return notify:count "WATCHDOG=1" >= 2 end)
    assert.equal(1, notify:count "READY=1")
    server.process:signal "HUP"
    said "^RELOADING=1\nMONOTONIC_USEC=%d+"
    said "^READY=1\nSTATUS=3 of 3 workers are there; serving 1 apps, generation 2$"
    signal.kill(server.workers[1].pid, signal.SIGSTOP)
    logged 'msg="a worker hangs and is ended" worker=1'
    signal.kill(server.workers[1].pid, signal.SIGCONT)
    logged 'msg="a worker ended" worker=1 signal=6'
    said "^READY=1\nSTATUS=2 of 3 workers are there"
    logged("msg=serving worker=1", 2)
    server.process:signal "TERM"
    said "^STOPPING=1\nSTATUS=draining"
    server.process:wait(5)
    notify:close()
  end)

  it("are killed where they hang and do not end, which is said once", function()
    local notify = manager.open(e2e.folder())
    local server = start { env = { NOTIFY_SOCKET = notify.path, WATCHDOG_USEC = "600000" }, errors = "worker=1 " }
    local stopped = server.workers[1].pid
    signal.kill(stopped, signal.SIGSTOP)
    wait.wait_until(function()
      notify:take()
      return server:log():find('msg="a worker ended" worker=1 signal=9', 1, true)
    end, 5, "the stopped worker's end")
    assert.equal(1, count(server:log(), "a worker hangs and is ended"))
    assert.equal(1, count(server:log(), "it is killed"))
    server.process:signal "TERM"
    server.process:wait(5)
    notify:close()
  end)

  it("are not taken for hanging by a master that was stopped with them", function()
    local notify = manager.open(e2e.folder())
    local server = start { env = { NOTIFY_SOCKET = notify.path, WATCHDOG_USEC = "2000000" } }
    local pids = { server.process.pid }
    for i = 0, WORKERS - 1 do pids[#pids + 1] = server.workers[i].pid end
    for _, pid in ipairs(pids) do signal.kill(pid, signal.SIGSTOP) end
    wait.pass(3)
    signal.kill(pids[1], signal.SIGCONT)
    wait.pass(0.3) -- the master is the first to go on
    for _, pid in ipairs(pids) do signal.kill(pid, signal.SIGCONT) end
    local beats = notify:count "WATCHDOG=1"
    wait.wait_until(function() return notify:count "WATCHDOG=1" >= beats + 2 end, 5, "signs of life")
    assert.falsy(server:log():find("hangs", 1, true))
    for _, pid in ipairs(pids) do assert.is_true(is_alive(pid)) end
    server.process:signal "TERM"
    server.process:wait(5)
    notify:close()
  end)

  it("accept from the sockets that the master is passed", function()
    local port = tcp.free_port()
    local server = start { conf = 'listen = "systemd:web"', under = manager.activated(
      ("http://127.0.0.1:%d/version"):format(port), "web", "127.0.0.1:" .. port) }
    assert.equal(WORKERS, count(server:log(), "listener=public"))
    for _ = 1, 20 do assert.equal("one", http.get("127.0.0.1:" .. port, "/version").body) end
  end)
end)
