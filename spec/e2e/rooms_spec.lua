-- examples/rooms/run with two nodes: both answer, a job is seen on either, and nothing is left when it ends.

local e2e    = require "spec.support.e2e"
local http   = require "spec.support.http"
local json   = require "cjson.safe"
local proc   = require "spec.support.proc"
local signal = require "posix.signal"
local sse    = require "spec.support.sse"
local tcp    = require "spec.support.tcp"
local unistd = require "posix.unistd"
local wait   = require "spec.support.wait"

local PORTS = { 0, 1, 2, 3, 9, 10, 11 }                  -- of ROOMS_PORT: nodes, Redis, app

local function address(base, offset) return "127.0.0.1:" .. base + offset end

local function is_taken(base)
  for _, offset in ipairs(PORTS) do
    local ok, conn = pcall(tcp.connect, address(base, offset))
    if ok then
      conn:close()
      return true
    end
  end
  return false
end

-- Below what the kernel gives away by itself.
local function free_ports()
  local base = 20000 + unistd.getpid() % 900 * 12
  while is_taken(base) do base = base + 12 end
  return base
end

local function sign_in(node, user)
  local answer = http.post(node, "/login", { json = { user = user } })
  assert.equal(200, answer.status, answer.body)
  return answer.json().token
end

-- Has the app paint in the studio; what the tab there was told of it, until it was done.
local function paint(node, token, tab)
  local before = #tab:data "message"
  local answer = http.post(node, "/jobs", { headers = { authorization = "Bearer " .. token },
                                            json = { room = "studio", title = "Hills" } })
  assert.equal(202, answer.status, answer.body)
  local seen
  wait.wait_until(function()
    seen = {}
    for i, data in ipairs(tab:data "message") do
      local message = json.decode(data)
      if i > before and message.jobId then seen[#seen + 1] = message end
    end
    return #seen > 0 and seen[#seen].type == "generation_complete"
  end, 30, "the job to be done")
  return seen
end

describe("the rooms example", function()
  local run

  -- What it started ends with it, unless it is killed.
  after_each(function()
    if not run or not run:alive() then return end
    run:signal "TERM"
    run:wait(15)
  end)

  it("runs on two nodes, which show one job, and ends with all that it started", function()
    if e2e.binary ~= e2e.root .. "/build/sluice" then return end -- it runs that
    local base = free_ports()
    run = proc.spawn({ "bash", "examples/rooms/run", "2" },
                     { cwd = e2e.root, env = e2e.environment { ROOMS_PORT = tostring(base) } })
    run:wait_line("2 nodes on one Redis", 15)
    local one, other = run:output():match "The rooms are at http://([%d.:]+)/ http://([%d.:]+)/: 2 nodes"
    assert.same({ address(base, 0), address(base, 2) }, { one, other })
    assert.equal("A", http.get(one, "/node").json().node)
    assert.equal("B", http.get(other, "/node").json().node)

    local ann = sign_in(one, "ann")
    local tab = sse.open(other, { path = "/api/events?channel=channel:studio&token=" .. sign_in(other, "bob") })
    tab:next "ready"
    -- The Redis is new: nobody listens for the first seconds, and the job waits.
    local seen = paint(one, ann, tab)
    assert.equal("generation_progress", seen[1].type)
    assert.is_true(seen[1].progress <= 9)
    assert.equal("Ann Lunde", seen[#seen].userName)

    local pid = run:output():match "their processes: A %d+ B (%d+)\n"
    assert.matches("\nRedis is away from `kill %-STOP %d+` until `kill %-CONT %d+`%.\n", run:output())
    signal.kill(tonumber(pid), signal.SIGTERM)
    wait.wait_until(function() return not pcall(tcp.connect, address(base, 2)) end, 10, "the second node's end")
    -- The first goes on, and so do the app and the Redis.
    local left = sse.open(one, { path = "/api/events?channel=channel:studio&token=" .. sign_in(one, "bob") })
    left:next "ready"
    paint(one, ann, left)

    run:signal "TERM"
    assert.equal(0, (run:wait(15)))
    assert.is_false(is_taken(base))
  end)
end)
