--- Nodes of one cluster, and what can befall them.
--
--   local cluster = clusters.start { nodes = 3, rules = "spec/fixtures/cluster.lua", redis = redis, env = { ... } }
--   cluster.nodes[1].address
--   clusters.kill(node); clusters.revive(node)     -- at the same address
--   clusters.stop(node); clusters.continue(node)   -- SIGSTOP and SIGCONT
--   cluster.wires[1]:hold(); cluster.wires[1]:release()   -- its way to Redis (spec/support/proxy.lua)

local busted = require "busted"
local e2e    = require "spec.support.e2e"
local http   = require "spec.support.http"
local proxy  = require "spec.support.proxy"
local wait   = require "spec.support.wait"

local clusters = {}
local Cluster  = {}
Cluster.__index = Cluster

local stopped = {}

--- Starts them. `options`: those of e2e.server, and `nodes`, how many; `redis` (spec/support/redis.lua), without which
-- each is on its own; `wired`: each has a wire of its own to Redis, which can be cut.
function clusters.start(options)
  local self = setmetatable({ nodes = {}, wires = {}, redis = options.redis }, Cluster)
  for number = 1, options.nodes do
    local conf = (options.conf or "") .. '\nlisten = "127.0.0.1:0"\n'
    if options.redis then
      local at = options.redis.address
      if options.wired then
        self.wires[number] = proxy.open(at)
        at = self.wires[number].address
      end
      conf = conf .. ('redis = "redis://%s"\n'):format(at)
    end
    local node = e2e.server { rules = options.rules, conf = conf, env = options.env, errors = options.errors }
    node.number = number
    self.nodes[number] = node
  end
  return self
end

--- Waits until each node says that it is ready.
function Cluster:wait_ready(timeout)
  for _, node in ipairs(self.nodes) do
    wait.wait_until(function() return http.get(node.admin, "/ready").status == 200 end, timeout or 15,
                    "node " .. node.number .. " to be ready")
  end
end

function clusters.kill(node)
  clusters.continue(node)
  node:kill()
  node.dead = true
end

function clusters.revive(node)
  node:start(true)
  node.dead = nil
end

function clusters.stop(node)
  node.process:signal "STOP"
  stopped[node] = true
end

function clusters.continue(node)
  if not stopped[node] then return end
  stopped[node] = nil
  node.process:signal "CONT"
end

function clusters.reload(node) node.process:signal "HUP" end

--- Does it run, and is it not stopped?
function clusters.runs(node) return not node.dead and not stopped[node] end

-- A test that failed may have left one stopped, and who is stopped does not end.
busted.after_each(function()
  for node in pairs(stopped) do clusters.continue(node) end
end)

return clusters
