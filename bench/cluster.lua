--- Clusters under test: a Redis server and the nodes on it, each a process whose CPU time is told apart.
--
-- `others` of a run are, in order, the second node and those behind it, then Redis (load's --others): the first node is
-- the server. All share the core of the server, so that a CPU-second is the same for each.

local process = require "process"

local cluster = {}

local PATIENCE_S = 10

--- Waits until a node says that it is ready.
-- @treturn boolean false after ten seconds
function cluster.await_ready(admin_port)
  local command = { "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                    ("http://127.0.0.1:%s/ready"):format(admin_port) }
  for _ = 1, PATIENCE_S * 20 do
    if process.read(command) == "200" then return true end
    process.sleep(0.05)
  end
  return false
end

--- What is not installed; nil: nothing.
function cluster.missing()
  for _, command in ipairs { "redis-server", "curl" } do
    if not process.has(command) then return command .. " is not installed" end
  end
end

--- Starts Redis, then the nodes.
-- @tparam number nodes how many
-- @tparam table site with `ports`: one for Redis, then two for each node
-- @tparam function command (number, port, admin_port, redis_url) -> the words of a node
-- @tparam function start (words, name) -> pid
-- @treturn {number,...}|nil the pids, Redis' last; nil: it did not start, and then those that are to be stopped
-- @treturn string the targets of load
function cluster.start(nodes, site, command, start)
  local redis_port = site.ports[1]
  local words = { "redis-server", "--port", redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no" }
  local redis = start(words, "redis")
  if not process.await_port(redis, redis_port) then return nil, { redis } end
  local pids, targets = {}, {}
  for number = 1, nodes do
    local port, admin_port = site.ports[2 * number], site.ports[2 * number + 1]
    pids[number] = start(command(number, port, admin_port, "redis://127.0.0.1:" .. redis_port), "node" .. number)
    targets[number] = "127.0.0.1:" .. port
  end
  pids[nodes + 1] = redis
  for number = 1, nodes do
    if not cluster.await_ready(site.ports[2 * number + 1]) then return nil, pids end
  end
  return pids, table.concat(targets, ",")
end

return cluster
