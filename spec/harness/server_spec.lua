-- What the end-to-end specs assert at their end without saying so, against a stand-in for the binary.

local stat = require "posix.sys.stat"
local e2e  = require "spec.support.e2e"

local STAND_IN = [[
#!/bin/sh
trap 'exit ${CODE:-0}' TERM
[ -z "$FAIL" ] || { echo "level=error msg=\"$FAIL\""; exit 2; }
echo "ts=1 level=info msg=listening address=127.0.0.1:4711 listener=public"
echo "ts=1 level=info msg=listening listener=admin address=\"unix:/a b\""
echo "$SAY"
while :; do sleep 0.02; done
]]

local binary = e2e.binary

before_each(function()
  e2e.binary = e2e.write(e2e.folder() .. "/sluice", STAND_IN)
  stat.chmod(e2e.binary, 448)
end)

teardown(function() e2e.binary = binary end)

local function start(env, errors)
  return e2e.server { conf = 'heartbeat = 5', rules = 'local app = 1\n', env = env, errors = errors }
end

describe("a server of the specs", function()
  it("gets a config with what is missing in it, and tells its addresses", function()
    local server = start()
    assert.equal("127.0.0.1:4711", server.address)
    assert.equal("unix:/a", server.admin)
    local conf = io.open(server.conf):read "*a"
    assert.matches('listen = "127.0.0.1:0"', conf)
    assert.matches('admin = "127.0.0.1:0"', conf)
    assert.matches("heartbeat = 5", conf)
    assert.equal('local app = 1\n', io.open(conf:match 'rules = { "([^"]+)" }'):read "*a")
    server:stop()
  end)

  it("must end with exit code 0", function()
    local server = start { CODE = "3" }
    assert.error_matches(function() server:stop() end, "exit code 3")
  end)

  it("must log no error but those that the test expects", function()
    local server = start { SAY = "level=error msg=boom" }
    assert.error_matches(function() server:stop() end, "did not end well: level=error msg=boom")
    start({ SAY = "level=error msg=boom" }, "msg=boom"):stop()
  end)

  it("must leave no sanitizer's report", function()
    for _, line in ipairs { "==7==ERROR: AddressSanitizer: heap-use-after-free", "==7==ERROR: LeakSanitizer: detected",
                            "core/base/buf.c:21:22: runtime error: shift" } do
      local server = start { SAY = line }
      assert.error_matches(function() server:stop() end, line, 1, true)
    end
  end)

  it("says why it does not start", function()
    assert.error_matches(function() start { FAIL = "no such key" } end, 'did not start:\nlevel=error msg="no such key"')
  end)

  it("is told about where a wait times out", function()
    local server = start { SAY = "level=info msg=here" }
    assert.error_matches(function() server:wait_log("msg=there", 0.05) end, "msg=here")
  end)
end)
