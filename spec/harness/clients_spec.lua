-- The clients and the process keeper that the end-to-end specs stand on, against a scripted peer.

local http = require "spec.support.http"
local proc = require "spec.support.proc"
local sse  = require "spec.support.sse"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

after_each(function()
  tcp.close_all()
  proc.kill_all()
end)

-- A peer that answers each request with the next of `answers`, or keeps silent.
local function peer(...)
  local answers, requests = { ... }, {}
  local listener = tcp.listen(function(conn)
    conn.on_input = function(self)
      while self.input:find "\r\n\r\n" do
        table.insert(requests, self:take(select(2, self.input:find "\r\n\r\n")))
        self:send(table.remove(answers, 1) or "")
      end
      if self.eof then self:close() end
    end
  end)
  return listener.address, requests
end

describe("http", function()
  it("reads a body of a known length and its headers", function()
    local address, requests = peer "HTTP/1.1 201 Created\r\nContent-Length: 7\r\nX-A: 1\r\nx-a: 2\r\n\r\n{\"a\":1}"
    local answer = http.post(address, "/p", { json = { b = 2 }, headers = { Cookie = "s=1" } })
    assert.same({ 201, "Created", '{"a":1}', "1, 2" },
                { answer.status, answer.reason, answer.body, answer.headers["x-a"] })
    assert.same({ a = 1 }, answer.json())
    assert.matches("^POST /p HTTP/1.1\r\n", requests[1])
    assert.matches("cookie: s=1\r\n", requests[1])
    assert.matches("content%-length: 7\r\n", requests[1])
  end)

  it("reads chunks, skips interim answers, keeps pipelined answers apart", function()
    local address = peer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         .. "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
                         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                         "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    local client = http.connect(address)
    client:start { path = "/1" }
    client:start { path = "/2" }
    client:start { method = "HEAD" }
    client:start { path = "/4" }
    assert.equal("abcd", client:answer().body)
    assert.equal(204, client:answer().status)
    assert.equal("5", client:answer().headers["content-length"])
    assert.equal(404, client:answer().status)
  end)

  it("says that the server closed without an answer", function()
    local listener = tcp.listen(function(conn) conn:close() end)
    assert.error_matches(function() http.get(listener.address, "/") end, "closed the connection")
  end)
end)

describe("sse", function()
  local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

  it("keeps events in order, tells when the stream ends", function()
    local address, requests = peer(HEAD .. "retry: 5\n\nevent: a\ndata: 1\nid: x\n\nevent: b\ndata: 2\n\n")
    local tab = sse.open(address, { path = "/e", last_event_id = "w" })
    assert.equal(200, tab.status)
    assert.matches("last%-event%-id: w\r\n", requests[1])
    assert.same({ type = "b", data = "2", id = "x" }, tab:next "b")
    assert.same({ "a", "b" }, tab:types())
    assert.equal(5, tab.retry)
    assert.equal("x", tab.last_id())
    assert.error_matches(function() tab:next(nil, 0.05) end, "waited [%d.]+s for an event")
  end)

  it("holds a hundred streams at once", function()
    local all = {}
    local listener = tcp.listen(function(conn)
      all[#all + 1] = conn
      conn:send(HEAD)
    end)
    local tabs = {}
    for i = 1, 100 do tabs[i] = sse.open(listener.address, { wait = false }) end
    wait.wait_until(function() return #all == 100 end, 5, "a hundred connections")
    for i, conn in ipairs(all) do conn:send("data: " .. i .. "\n\n") end
    for _, tab in ipairs(tabs) do assert.equal("message", tab:next(nil, 5).type) end
  end)
end)

describe("tcp", function()
  it("stalls and resumes", function()
    local sender
    local listener = tcp.listen(function(conn) sender = conn end)
    local slow = tcp.connect(listener.address, { receive_buffer = 4096 })
    wait.wait_until(function() return sender end)
    slow:pause()
    sender:send(("x"):rep(8 * 1024 * 1024))
    wait.pass(0.05)
    assert.equal("", slow.input)
    slow:resume()
    wait.wait_until(function() return #slow.input > 100000 end)
  end)

  it("speaks over Unix sockets", function()
    local path = os.tmpname()
    os.remove(path)
    local listener = tcp.listen(function(conn) conn:send "hello\n" end, "unix:" .. path)
    assert.equal("hello\n", tcp.connect(listener.address):read_until "\n")
    os.remove(path)
  end)
end)

-- The command line of a process, empty where it is gone or waits to be reaped.
local function command_line(pid)
  local file = io.open("/proc/" .. pid .. "/cmdline")
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

describe("proc", function()
  it("gives exit codes, signals and output", function()
    local process = proc.spawn({ "sh", "-c", "echo out $A; echo err >&2; exit 3" }, { env = { A = "b c" } })
    assert.equal(3, process:wait())
    assert.equal("out b c\nerr\n", process:output())
    local sleeper = proc.spawn { "sleep", "60" }
    assert.is_true(sleeper:alive())
    sleeper:signal "TERM"
    assert.same({ n = 2, nil, 15 }, { n = 2, sleeper:wait() })
    assert.equal(127, (proc.spawn { "no-such-program" }:wait()))
  end)

  it("waits for a line, and tells what came instead", function()
    local process = proc.spawn { "sh", "-c", "echo a; sleep 0.1; echo port=42; sleep 60" }
    assert.equal("42", process:wait_line "port=(%d+)")
    local ended = proc.spawn { "echo", "nothing" }
    assert.error_matches(function() ended:wait_line "port" end, "ended before a line with port:\nnothing")
  end)

  it("kills the children with their parent", function()
    local process = proc.spawn { "sh", "-c", "sleep 61 & echo child=$!; wait" }
    local child = process:wait_line "child=(%d+)"
    process:kill()
    wait.wait_until(function() return command_line(child) == "" end, 2, "the child to be dead")
  end)
end)
