-- As systemd runs it: what it says to the manager, the sockets that it is passed, the unit files.

local e2e     = require "spec.support.e2e"
local http    = require "spec.support.http"
local manager = require "spec.support.manager"
local proc    = require "spec.support.proc"
local tcp     = require "spec.support.tcp"
local wait    = require "spec.support.wait"

local RULES = [[
local app     = require("sluice").app "unit"
app:route("ping", "GET /ping", { run = function() return 200, "pong" end })
app:route("sleep", "POST /sleep", { run = function() require("sluice.time").sleep(1) return 204 end })
]]

describe("under systemd", function()
  it("says when it is ready, reloads and ends, and answers the watchdog", function()
    local notify = manager.open(e2e.folder())
    local server = e2e.server { rules = RULES, env = { NOTIFY_SOCKET = notify.path, WATCHDOG_USEC = "200000" } }
    wait.wait_until(function() return notify:find("^READY=1\nSTATUS=serving 1 apps, generation 1") end)
    wait.wait_until(function() return notify:count "WATCHDOG=1" >= 3 end)
    server.process:signal "HUP"
    local at = wait.wait_until(function() return notify:find("^RELOADING=1\nMONOTONIC_USEC=%d+") end)
    wait.wait_until(function() return (notify:find("^READY=1\nSTATUS=serving 1 apps, generation 2") or 0) > at end)
    e2e.write(server.folder .. "/rules/app.lua", "this is no Lua")
    server.errors = "not reloaded"
    server.process:signal "HUP"
    wait.wait_until(function() return notify:find("^READY=1\nSTATUS=.*the last reload was refused") end)
    server.process:signal "TERM"
    server.process:wait(5)
    assert.is_truthy(notify:find("^STOPPING=1\nSTATUS=draining"))
    notify:close()
  end)

  it("goes on saying that it ends where a reload comes in its drain", function()
    local notify = manager.open(e2e.folder())
    local server = e2e.server { rules = RULES, env = { NOTIFY_SOCKET = notify.path } }
    local held = http.connect(server.address)
    held:start { method = "POST", path = "/sleep" }
    wait.wait_until(function() return server:metric "sluice_requests_total" == 1 end)
    server.errors = "the node drains"
    server.process:signal "TERM"
    local at = wait.wait_until(function() return notify:find("^STOPPING=1") end)
    server.process:signal "HUP"
    wait.wait_until(function() return server:log():find "the node drains" end)
    held:answer()
    server.process:wait(5)
    assert.equal(at, #notify:take())
    notify:close()
  end)

  it("serves the sockets that it is passed, by their names", function()
    local web, other = tcp.free_port(), tcp.free_port()
    local server = e2e.server {
      rules = RULES, conf = 'listen = { "systemd:other", "systemd:web" }',
      under = manager.activated("http://127.0.0.1:" .. web .. "/ping", "web:other", "127.0.0.1:" .. web,
                                "127.0.0.1:" .. other),
    }
    assert.same({ "127.0.0.1:" .. other, "127.0.0.1:" .. web }, server.addresses)
    for _, address in ipairs(server.addresses) do assert.equal("pong", http.get(address, "/ping").body) end
  end)

  it("says which sockets were passed where the name is another", function()
    local folder = e2e.folder()
    local rules  = e2e.write(folder .. "/app.lua", RULES)
    local conf = ('listen = "systemd:web"\nadmin = "127.0.0.1:0"\nrules = %q\n'):format(rules)
    local words = { "run", "-c", e2e.write(folder .. "/sse.lua.conf", conf) }
    local code, output = e2e.run(words)
    assert.equal(2, code)
    assert.is_truthy(output:find("cannot listen on systemd:web: systemd passed no socket at all", 1, true), output)
    local _, said = e2e.run(words, {
      under = manager.activated("--unix-socket " .. folder .. "/s http://localhost/", "ui", folder .. "/s"),
    })
    assert.is_truthy(said:find("passed no socket of this name that is not in use already; it passed ui", 1, true), said)
  end)

  it("has unit files that systemd takes", function()
    local folder = e2e.folder()
    for _, name in ipairs { "sluice.service", "sluice.socket" } do
      local file = assert(io.open("examples/systemd/" .. name))
      local text = file:read("*a"):gsub("/usr/local/bin/sluice", e2e.binary)
      file:close()
      e2e.write(folder .. "/" .. name, text)
    end
    local process = proc.spawn { "systemd-analyze", "verify", "--recursive-errors=no", folder .. "/sluice.service",
                                 folder .. "/sluice.socket" }
    local code = process:wait(20)
    assert.same({ 0, "" }, { code, process:output() })
  end)
end)
