-- What the swarm sees: held against nodes that a spec plays, well and badly.

local swarms = require "spec.support.swarm"
local tcp    = require "spec.support.tcp"
local wait   = require "spec.support.wait"

local STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" ..
               'id: a\nevent: ready\ndata: {"resumed":false}\n\n'
local RESYNC = 'event: resync\ndata: {"reason":"%s","missed":null,"topics":["room:0"]}\n\n'

-- One node, one subscriber, one room. `refuse`: how many publishes it answers with 503 before it takes one.
local function play(refuse, status)
  local self = { streams = {}, posts = 0 }
  local node = tcp.listen(function(conn)
    conn.on_input = function()
      if conn.eof then return conn:close() end
      if conn.input:find "^GET" then
        self.request = conn:take(#conn.input)
        if status then
          conn:send(("HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n"):format(status))
        else
          self.stream = conn:send(STREAM)
        end
      elseif conn.input:find "}}$" then
        conn:take(#conn.input)
        self.posts = self.posts + 1
        local good = self.posts > (refuse or 0)
        conn:send(("HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}"):format(good and "200 OK" or "503 No"))
      end
    end
  end)
  self.swarm = swarms.start { path = "/rooms", streams = 1, rooms = 1, users = 1 }
  self.swarm:node(node.address)
  return self
end

local function published(self, count)
  for _ = 1, count do
    self.swarm:tell "last"
    wait.wait_until(function() return self.swarm:state().posting == 0 end, 5, "a publish to be acknowledged")
  end
end

local function say(self, ...)
  for _, what in ipairs { ... } do
    self.stream:send(type(what) == "number" and ("event: say\ndata: room:0 %d\n\n"):format(what) or what)
  end
  self.stream:send "id: end\n\n"
end

-- Of a subscriber that is there, what comes behind `count` publishes.
local function see(count, ...)
  local self = play()
  self.swarm:open(1)
  published(self, count)
  say(self, ...)
  local state, due = nil, select("#", ...)
  wait.wait_until(function()
    state = self.swarm:state()
    return state.said + state.fault_count + state.resyncs >= due
  end)
  return state
end

describe("the swarm", function()
  it("finds nothing wrong with what is complete and in order", function()
    local state = see(3, 1, 2, 3)
    assert.same({ 3, 0, 0 }, { state.said, state.fault_count, state.missing })
  end)

  it("sees what never came", function()
    local state = see(3, 1, 2)
    assert.same({ 0, 1 }, { state.fault_count, state.missing })
    assert.matches("tab 0 on node 0 has room:0 up to 2 of 3", state.first, 1, true)
  end)

  it("sees a hole, between two and at the beginning", function()
    assert.equal(1, see(3, 1, 3).holes)
    assert.equal(1, see(3, 2, 3).holes)
  end)

  it("sees what comes twice, or out of order, or was never sent", function()
    assert.equal(1, see(3, 1, 1).doubles)
    assert.equal(1, see(3, 1, 2, 1).doubles)
    assert.equal(1, see(3, 1, 4).strangers)
  end)

  it("takes a resync for what came before it, and for nothing else", function()
    local told = see(3, 1, RESYNC:format "lagged", 3)
    assert.same({ 0, 0, 1 }, { told.fault_count, told.missing, told.resync_lagged })
    assert.equal(0, see(3, 1, RESYNC:format "lagged").missing)
    assert.equal(1, see(3, 1, RESYNC:format "lagged", 1).doubles)
  end)

  it("wants what is published after a resync", function()
    local self = play()
    self.swarm:open(1)
    published(self, 2)
    say(self, 1, RESYNC:format "history")
    wait.wait_until(function() return self.swarm:state().resyncs == 1 end)
    published(self, 2)
    assert.equal(1, self.swarm:state().missing)
    say(self, 4)
    wait.wait_until(function() return self.swarm:state().holes == 1 end)
  end)

  it("takes again what came before an epoch that began, in order, and not twice", function()
    local function again(...)
      local self = play()
      self.swarm:open(1)
      published(self, 3)
      say(self, 1, 2)
      self.swarm:tell "epoch"
      say(self, RESYNC:format "epoch", ...)
      local due = 2 + select("#", ...)
      local state
      wait.wait_until(function()
        state = self.swarm:state()
        return state.said + state.again + state.fault_count == due
      end)
      return state
    end
    assert.same({ 2, 0 }, { again(1, 2, 3).again, again(1, 2, 3).fault_count })
    assert.same({ 1, 0 }, { again(2, 3).again, again(3, 2).fault_count })
    assert.equal(1, again(2, 1).doubles)
    assert.equal(1, again(1, 1).doubles)
    assert.equal(1, again(3, 3).doubles)
  end)

  it("sees that somebody tells of an epoch that did not begin", function()
    assert.matches("an epoch that did not begin", see(3, 1, RESYNC:format "epoch", 3).faults[1], 1, true)
  end)

  it("comes back with its last event id, and knows what it had", function()
    local self = play()
    self.swarm:open(1)
    published(self, 2)
    say(self, "retry: 10\n\n", 1)
    wait.wait_until(function() return self.swarm:state().said == 1 end)
    self.request = nil
    self.stream:close()
    wait.wait_until(function() return self.request end, 5, "the subscriber to come back")
    assert.matches("Last-Event-ID: end\r\n", self.request, 1, true)
    published(self, 1)
    say(self, 3)
    wait.wait_until(function() return self.swarm:state().holes == 1 end)
  end)

  it("knows that a status ends an EventSource", function()
    local self = play(0, 503)
    self.swarm:tell("open", 1)
    wait.wait_until(function() return self.swarm:state().statuses == 1 end)
  end)

  it("sees two links of one user at a time, unless they are excused", function()
    local swarm = swarms.start { path = "/mine", streams = 1, rooms = 1, users = 2, linked = true }
    local function link(user)
      local conn = tcp.connect(swarm.feed:match "//(.*)")
      conn:send(("GET /feed/u%d HTTP/1.1\r\nHost: a\r\n\r\n"):format(user))
      conn:read_until "welcome"
      return conn
    end
    link(0)
    local first = link(1)
    assert.equal(0, swarm:state().overlaps)
    swarm:tell("excuse", 1)
    link(1)
    assert.same({ 0, 1, 1 }, { swarm:state().overlaps, swarm:state().overlaps_excused, swarm:state().doubled })
    swarm:tell("excuse", 0)
    first:close()
    link(0)
    assert.equal(1, swarm:state().overlaps)
  end)

  it("sees a watermark that falls, and counts what it is told twice", function()
    local swarm = swarms.start { path = "/chat", streams = 1, rooms = 0, users = 2, linked = true }
    local conn = tcp.connect(swarm.feed:match "//(.*)")
    local function read(user, row)
      conn:send(("POST /read/u%d/%d HTTP/1.1\r\nHost: a\r\n\r\n"):format(user, row))
      return conn:read_until("\r\n\r\n"):match " (%d+) "
    end
    swarm:tell "last"
    swarm:tell "last"
    assert.same({ "204", "204", "204" }, { read(1, 0), read(1, 1), read(1, 1) })
    assert.same({ 3, 1, 2 }, { swarm:state().reads, swarm:state().reads_again, swarm:state().unread })
    swarm:tell("refuse", 1)
    assert.equal("503", read(1, 2))
    swarm:tell("refuse", 0)
    read(1, 2)
    assert.same({ 0, 1 }, { swarm:state().fault_count, swarm:state().unread })
    read(1, 1)
    assert.same({ "the watermark of user 1 fell from 2 to 1" }, swarm:state().faults)
    read(0, 3)
    assert.equal("user 0 is told to have read 3", swarm:state().faults[2])
  end)

  it("goes on with a user's events from the id that a link was opened with", function()
    local swarm = swarms.start { path = "/mine", streams = 1, rooms = 1, users = 1, linked = true }
    swarm:tell "last"
    swarm:tell "last"
    swarm:tell "last"
    local conn = tcp.connect(swarm.feed:match "//(.*)")
    conn:send "GET /feed/u0 HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 1\r\n\r\n"
    conn:read_until "id: 2\nevent: say\ndata: 2\n\nid: 3\nevent: say\ndata: 3\n\n"
    assert.equal(1, swarm:state().links_resumed)
  end)
end)
