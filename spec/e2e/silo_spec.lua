-- The inventory example whole: the stand-in, rules/silo.lua and the page's rules, behind a real nginx with the settings
-- that are shipped.

local e2e     = require "spec.support.e2e"
local http    = require "spec.support.http"
local proxies = require "spec.support.proxies"
local sse     = require "spec.support.sse"
local tcp     = require "spec.support.tcp"
local wait    = require "spec.support.wait"

local ENV = { PUBLISH_KEY = "the key" }

local function with(env)
  for name, value in pairs(ENV) do env[name] = value end
  return env
end

describe("the inventory's feed behind nginx", function()
  local server, nginx

  before_each(function()
    local events    = "127.0.0.1:" .. tcp.free_port()
    local inventory = e2e.server { rules = { ["inventory.lua"] = "examples/inventory/inventory.lua" },
                                   env = with { EVENTS_URL = "http://" .. events } }
    server = e2e.server { rules = { ["a.lua"] = "rules/silo.lua", ["b.lua"] = "examples/inventory/pages.lua" },
                          conf = ('listen = "%s"'):format(events),
                          env = with { SILO_URL = "http://" .. inventory.address } }
    nginx = proxies.start("nginx", server.address)
  end)

  local function connect(user, last_event_id)
    return sse.open(nginx.address, { path = "/api/events", last_event_id = last_event_id,
                                     headers = { cookie = user and "silo=" .. user } })
  end

  local function open(...)
    local tab = connect(...)
    assert.equal(200, tab.status)
    tab:next "ready"
    return tab
  end

  local function ask(user, path, body)
    return http.post(nginx.address, path, { headers = { cookie = "silo=" .. user }, json = body })
  end

  local function publish(type, data)
    local answer = http.post(server.address, "/publish", { json = { type = type, data = data },
                                                           headers = { authorization = "Bearer the key" } })
    assert.equal(200, answer.status)
  end

  local function delete(part_number) publish("item.deleted", { part_number = part_number }) end

  it("is for viewers and up: 401 for nobody, 403 below", function()
    assert.same({ 401, 403, 200, 200, 200 }, { connect().status, connect("gus").status, connect("vera").status,
                                               connect("egil").status, connect("ada").status })
    assert.equal(3, server:ready().subscribers)
  end)

  it("begins at once, and brings each change at once", function()
    delete "before"
    local from = wait.now()
    local tab  = open "vera"
    local first_byte = wait.now() - from
    assert.is_true(first_byte < 0.5 * wait.patience, ("the first event came after %.3f s"):format(first_byte))
    assert.is_nil(tab.headers["content-encoding"])
    for i = 1, 5 do
      from = wait.now()
      delete("F000" .. i)
      assert.equal(('{"part_number":"F000%d"}'):format(i), tab:next("item.deleted").data)
      assert.is_true(wait.now() - from < 0.5 * wait.patience)
    end
  end)

  it("shows what somebody does, to all who look, and the mode to newcomers", function()
    local vera, egil = open "vera", open "egil"
    assert.equal(403, ask("vera", "/items", { item_type = "part", description = "Lid" }).status)
    assert.equal(201, ask("egil", "/items", { item_type = "part", description = "Lid" }).status)
    assert.equal(201, ask("egil", "/items/F0002/revisions", { comment = "Thicker" }).status)
    for _, tab in ipairs { vera, egil } do
      assert.equal('{"description":"Lid","item_type":"part","part_number":"F0008"}', tab:next("item.created").data)
      assert.equal('{"comment":"Thicker","part_number":"F0002","revision_number":2}',
                   tab:next("revision.created").data)
      assert.equal('{"part_number":"F0002","revision":2}', tab:next("item.updated").data)
    end
    local answer = http.request(nginx.address, { method = "PUT", path = "/mode", headers = { cookie = "silo=ada" },
                                                 json = { mode = "read-only" } })
    assert.equal(204, answer.status)
    wait.wait_until(function()
      local modes = vera:data "server.state"
      return modes[#modes] == '{"mode":"read-only"}'
    end)
    assert.equal('{"mode":"read-only"}', open("ada"):next("server.state").data)
  end)

  it("counts who looks, on /ready", function()
    local tabs = { open "vera", open "egil", open "ada" }
    assert.equal(3, server:ready().subscribers)
    tabs[1]:close()
    wait.wait_until(function() return server:ready().subscribers == 2 end, 5, "nginx to pass on that one has gone")
  end)

  it("goes on where it was when nginx has been restarted, without a hole and without a double", function()
    local tab = open "vera"
    delete "F0001"
    local id = tab:next("item.deleted").id
    nginx:stop()
    wait.wait_until(function() return tab.ended or tab.tcp.eof end, 5, "the cut")
    for i = 2, 20 do delete(("F%04d"):format(i)) end
    nginx:start()
    local back = open("vera", id)
    assert.matches('"resumed":true', back.events[1].data, 1, true)
    delete "F0021"
    local data = back:wait_count("item.deleted", 20)
    for i = 1, 20 do data[i] = data[i]:match "F%d+" end
    local expected = {}
    for i = 1, 20 do expected[i] = ("F%04d"):format(i + 1) end
    assert.same(expected, data)
  end)

  it("has a heartbeat every 30 s, whatever else flows", function()
    local tab   = open "vera"
    local from  = wait.now()
    local count = 0
    while tab:count "heartbeat" == 0 and wait.now() - from < 40 do
      count = count + 1
      delete("F" .. count)
      pcall(tab.next, tab, "heartbeat", 2)
    end
    local after = wait.now() - from
    assert.same({ "{}" }, tab:data "heartbeat")
    assert.is_true(after > 29 and after < 30 + 1.5 * wait.patience, ("it came after %.2f s"):format(after))
    assert.equal(count, tab:count "item.deleted")
  end)

  it("ends cleanly when the server is told to, with exit code 0 within the deadline", function()
    local tabs = { open "vera", open "egil" }
    delete "F0001"
    local from = wait.now()
    server.process:signal "TERM"
    for _, tab in ipairs(tabs) do
      tab:wait_end(10)
      assert.is_nil(tab.cut)
      assert.equal(1, tab:count "item.deleted")
      assert.is_true(tab.retry >= 1000)
    end
    assert.equal(0, (server.process:wait(10)))
    assert.is_true(wait.now() - from < 5 * wait.patience)
  end)
end)
