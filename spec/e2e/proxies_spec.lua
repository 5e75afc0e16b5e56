-- Where a client is, behind proxies and without; and listeners that only a router reaches.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"

local RULES = [[
local app = require("sluice").app "door"
app:route("how", "GET /how", { run = function(req) return 200, tostring(req.secure) end })
app:route("where", "GET /where", { run = function(req)
  return 200, ("%s %s"):format(req.address, tostring(req.trusted))
end })
]]

describe("a client's address", function()
  local function where(address, headers) return http.get(address, "/where", headers).body end

  it("is the peer's, whatever it says, where no proxy is trusted", function()
    local server = e2e.server { rules = RULES }
    local headers = { ["X-Forwarded-For"] = "9.9.9.9", Forwarded = "for=9.9.9.9" }
    assert.equal("127.0.0.1 false", where(server.address, headers))
  end)

  it("is what a trusted proxy says, in the header that it writes", function()
    local server = e2e.server { rules = RULES, conf = 'trusted_proxies = { "127.0.0.0/8", "10.0.0.0/8" }' }
    local headers = { ["X-Forwarded-For"] = "6.6.6.6, 9.9.9.9, 10.1.1.1", Forwarded = "for=6.6.6.6" }
    assert.equal("9.9.9.9 false", where(server.address, headers))
    assert.equal("127.0.0.1 false", where(server.address, { Forwarded = "for=6.6.6.6" }))
    assert.equal("127.0.0.1 false", where(server.address))
  end)

  it("follows the config at a reload", function()
    local server = e2e.server { rules = RULES }
    local headers = { Forwarded = 'for="[2001:db8::1]:99"' }
    assert.equal("127.0.0.1 false", where(server.address, headers))
    local conf = assert(io.open(server.conf)):read "*a"
    e2e.write(server.conf, conf .. '\ntrusted_proxies = "127.0.0.1" proxy_header = "forwarded"\n')
    assert.equal(0, (e2e.run { "reload", "-c", server.conf, "--admin", server.admin }))
    assert.equal("2001:db8::1 false", where(server.address, headers))
  end)

  it("is unix on a Unix socket, unless that is a proxy's", function()
    local folder = e2e.folder()
    local server = e2e.server { rules = RULES, conf = ([[
      listen = { "127.0.0.1:0", "unix:%s/open" } listen_trusted = "unix:%s/router"]]):format(folder, folder) }
    assert.equal("unix false", where("unix:" .. folder .. "/open", { ["X-Forwarded-For"] = "9.9.9.9" }))
    assert.equal("unix true", where("unix:" .. folder .. "/router"))
    assert.equal("127.0.0.1 false", where(server.address))
    server:stop()
    server = e2e.server { rules = RULES, conf = ([[
      listen = {} listen_trusted = "unix:%s/router" trusted_proxies = "unix"]]):format(folder) }
    assert.equal("9.9.9.9 true", where(server.address, { ["X-Forwarded-For"] = "9.9.9.9" }))
  end)
end)

describe("whether a client came over TLS", function()
  local function how(address, headers) return http.get(address, "/how", headers).body end
  local SAID = { ["X-Forwarded-Proto"] = "https", Forwarded = "for=9.9.9.9;proto=http" }

  it("says a trusted proxy, in the header that it writes, and nobody else", function()
    local server = e2e.server { rules = RULES, conf = 'trusted_proxies = "127.0.0.1"' }
    assert.equal("true", how(server.address, SAID))
    assert.equal("false", how(server.address))
    server:stop()
    server = e2e.server { rules = RULES, conf = 'trusted_proxies = "127.0.0.1" proxy_header = "forwarded"' }
    assert.equal("false", how(server.address, SAID))
    assert.equal("true", how(server.address, { Forwarded = "for=9.9.9.9;proto=https" }))
    server:stop()
    server = e2e.server { rules = RULES }
    assert.equal("false", how(server.address, SAID))
  end)
end)
