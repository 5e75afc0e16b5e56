-- The rooms of rules/persona.lua on two nodes: who comes and goes on one is told in the channel on both, once, and both
-- list the same members.

local clusters     = require "spec.support.cluster"
local http         = require "spec.support.http"
local json         = require "cjson.safe"
local redis_server = require "spec.support.redis"
local sse          = require "spec.support.sse"
local wait         = require "spec.support.wait"

describe("persona on two nodes", function()
  it("says in a channel who is there, wherever that is", function()
    local cluster = clusters.start {
      nodes = 2, servers = { redis_server.start() },
      rules = { ["persona.lua"] = "rules/persona.lua", ["signer.lua"] = "spec/fixtures/signer.lua" },
      env   = { PERSONA_JWT_KEY = ("a secret of our own "):rep(2), PERSONA_PUBLISH_KEY = "the key of who publishes" },
    }
    cluster:wait_ready()
    local nodes = cluster.nodes

    local function token(user)
      local claims = { sub = user, aud = "persona", exp = os.time() + 3600, name = user }
      return http.post(nodes[1].address, "/sign", { json = claims }).body
    end
    local function open(node, user)
      return sse.open(node.address, { path = "/api/events?channel=channel:general&token=" .. token(user) })
    end
    -- The changes that a stream was told, sorted.
    local function told(stream)
      local list = {}
      for _, data in ipairs(stream:data "message") do
        local message = json.decode(data)
        list[#list + 1] = message.userId .. " " .. message.status
      end
      table.sort(list)
      return table.concat(list, ", ")
    end
    local function members(node)
      local headers, list = { authorization = "Bearer " .. token "ann" }, {}
      for _, member in ipairs(http.get(node.address, "/api/channels/general/members", headers).json().members) do
        list[#list + 1] = member.userId
      end
      return table.concat(list, " ")
    end
    local function wait_told(stream, expected, timeout)
      wait.wait_until(function() return told(stream) == expected end, timeout or 5, expected)
    end

    local ann = open(nodes[1], "ann")
    wait_told(ann, "ann online")
    local bob = open(nodes[2], "bob")
    wait_told(ann, "ann online, bob online")
    wait_told(bob, "bob online")
    local tab = open(nodes[2], "ann")
    tab:next "ready"
    for _, node in ipairs(nodes) do assert.equal("ann bob", members(node)) end

    bob:close()
    wait_told(ann, "ann online, bob offline, bob online", 8)
    wait_told(tab, "bob offline", 1)
    for _, node in ipairs(nodes) do assert.equal("ann", members(node)) end
    wait.pass(2.5)
    wait_told(ann, "ann online, bob offline, bob online", 1)
  end)
end)
