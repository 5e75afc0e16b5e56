-- The redis-server that specs start.

local redis_server = require "spec.support.redis"
local tcp          = require "spec.support.tcp"
local wait         = require "spec.support.wait"

describe("a redis-server", function()
  it("listens on a port and a socket, and is at its place again after a restart, with what was kept", function()
    local redis, kept = redis_server.start(), redis_server.start { appendonly = true }
    for _, server in ipairs { redis, kept } do
      assert.equal("OK", server:cli("SET", "a", "x y"))
      server:stop()
      assert.has_error(function() tcp.connect(server.address) end)
      server:start()
    end
    assert.equal("", redis:cli("GET", "a"))
    assert.equal("x y", kept:cli("GET", "a"))
    kept:kill()
    kept:start()
    kept:flush()
    assert.equal("0", kept:cli "DBSIZE")
    assert.matches("^redis://127.0.0.1:%d+$", redis.url)
  end)

  it("raises what the server answers as an error, with the password where there is one", function()
    local redis = redis_server.start { password = "p w" }
    assert.equal("redis://:p%20w@" .. redis.address, redis.url)
    assert.has_error(function() redis:cli("INCR", "a", "b") end,
                     "redis-cli INCR a b: ERR wrong number of arguments for 'incr' command")
  end)

  it("is stopped where it is, and closes connections of a kind", function()
    local redis = redis_server.start()
    local plain, channel = tcp.connect(redis.address), tcp.connect("unix:" .. redis.socket)
    plain:send "CLIENT SETNAME sluice\r\n"
    channel:send "CLIENT SETNAME sluice\r\nSUBSCRIBE a\r\n"
    plain:read_until "OK\r\n"
    channel:read_until ":1\r\n"
    assert.same({ 1, 1, 2 }, { redis:clients "normal", redis:clients "pubsub", redis:clients() })

    redis:pause()
    plain:send "PING\r\n"
    wait.pass(0.1)
    assert.equal("", plain.input)
    redis:continue()
    plain:read_until "PONG\r\n"

    assert.equal(1, redis:kill_clients "pubsub")
    channel:read_all()
    assert.same({ 1, 0 }, { redis:clients "normal", redis:clients "pubsub" })
    redis:kill_clients()
    plain:read_all()
  end)
end)
