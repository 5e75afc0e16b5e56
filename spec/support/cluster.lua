--- Nodes of one cluster, and what can befall them.
--
--   local cluster = clusters.start { nodes = 3, rules = "spec/fixtures/cluster.lua", servers = { redis } }
--   cluster.nodes[1].address
--   clusters.kill(node); clusters.revive(node)     -- at the same address
--   clusters.stop(node); clusters.continue(node)   -- SIGSTOP and SIGCONT
--   clusters.cut(node); clusters.mend(node)        -- off from Redis, but from nothing else
--   node.wire                                      -- its way to the one Redis server (spec/support/proxy.lua)
--
-- Where a spec says a node's `seat`, that is where the node stands, and the wire is the spec's.

local busted = require "busted"
local e2e    = require "spec.support.e2e"
local http   = require "spec.support.http"
local proxy  = require "spec.support.proxy"
local wait   = require "spec.support.wait"

local clusters = {}
local Cluster  = {}
Cluster.__index = Cluster

local stopped = {}

-- Where a node finds the Redis servers: one at the end of a wire of its own; several where they are, because nodes
-- share the names out among servers by their urls.
local function redis_line(servers)
  if #servers == 0 then return "" end
  local wires, urls = {}, {}
  if #servers == 1 then wires[1] = proxy.open(servers[1].address) end
  for i, server in ipairs(servers) do urls[i] = ('"redis://%s"'):format((wires[i] or server).address) end
  return ("redis = { %s }\n"):format(table.concat(urls, ", ")), wires[1]
end

local function loopback_seat(servers)
  local line, wire = redis_line(servers)
  return { conf = 'listen = "127.0.0.1:0"\n' .. line, wire = wire }
end

--- Starts them. `options`: those of e2e.server, and `nodes`, how many; `servers`: a list of spec/support/redis.lua,
-- without which each node is on its own; `seat(number)`: { conf = lines that say where it listens and finds Redis,
-- under = see e2e.server }, which the node keeps as `seat`.
function clusters.start(options)
  local self = setmetatable({ nodes = {}, servers = options.servers or {} }, Cluster)
  for number = 1, options.nodes do
    local seat = options.seat and options.seat(number) or loopback_seat(self.servers)
    local conf = ("%s\n%s"):format(options.conf or "", seat.conf)
    local node = e2e.server { rules = options.rules, conf = conf, env = options.env, errors = options.errors,
                              under = seat.under }
    node.number, node.seat, node.wire = number, seat, seat.wire
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

function clusters.cut(node) node.wire:hold() end
function clusters.mend(node) node.wire:release() end

function clusters.reload(node) node.process:signal "HUP" end

--- Does it run, and is it not stopped?
function clusters.runs(node) return not node.dead and not stopped[node] end

-- A test that failed may have left one stopped, and who is stopped does not end.
busted.after_each(function()
  for node in pairs(stopped) do clusters.continue(node) end
end)

return clusters
