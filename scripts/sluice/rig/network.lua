-- What the rules' HTTP requests get: scripted answers, held ones, failures.

local json = require "cjson.safe"

local network = {}
network.__index = network

local Held = {}
Held.__index = Held

function network.new(core)
  return setmetatable({ core = core, scripts = {}, requests = {}, seen = 0 }, network)
end

local function split(request)
  local method, path = request:match "^(%u+) (/%S*)$"
  if not method then
    error(('expected "METHOD /path", got %q'):format(tostring(request)), 3)
  end
  return method, path
end

local function header_list(headers)
  local list = {}
  for name, value in pairs(headers or {}) do list[#list + 1] = { name:lower(), tostring(value) } end
  return list
end

--- Header lines, as the core gives them, by their lower-case names.
function network.headers_of(lines)
  local headers = {}
  for name, value in lines:gmatch "([^\n]-): ([^\n]*)\n" do headers[name:lower()] = value end
  return headers
end

-- The core's view of a request as specs see it.
function network.describe(call)
  local rest = call.url:match "^%w+://[^/]*(.*)$" or call.url
  local path, query = rest:match "^([^?]*)%??(.*)$"
  return {
    number = call.number, method = call.method, url = call.url, path = path, query = query,
    headers = network.headers_of(call.headers), body = call.body,
    json = call.body ~= "" and json.decode(call.body) or nil,
  }
end

local function to_answer(answer)
  local headers = {}
  for name, value in pairs(answer.headers or {}) do headers[name] = value end
  local body = answer.body or ""
  if answer.json ~= nil then
    body = json.encode(answer.json)
    headers["content-type"] = headers["content-type"] or "application/json"
  end
  return { status = answer.status or 200, headers = header_list(headers), body = body }
end

function network:script(request, script)
  local method, path = split(request)
  self.scripts[method .. " " .. path] = script
  if method ~= "GET" then return end
  -- The same words script an upstream's connection.
  local answer = script.answer
  local retry_after = type(answer) == "table" and answer.retry_after
  local status = script.held and 0 or type(answer) == "table" and answer.status or 200
  self.core:wire_rule(path, status, type(answer) == "table" and answer.content_type or nil,
    retry_after and retry_after * 1000 or -1)
end

function network:reply(request, answer) self:script(request, { answer = answer }) end

function network:fail(request, code) self:script(request, { code = code }) end

function network:hold(request, world)
  local held = setmetatable({ waiting = {}, count = 0, world = world, request = request }, Held)
  self:script(request, { held = held })
  return held
end

--- Answers the oldest request that is held; raises if none is.
function Held:answer(answer)
  local core = self.world.core
  for _, wire in ipairs(core:wires()) do
    local asked = network.describe(wire)
    if not wire.open and asked.method .. " " .. asked.path == self.request then
      core:wire_head(wire.number, answer.status or 200, answer.content_type,
        answer.retry_after and answer.retry_after * 1000)
      return self.world:run()
    end
  end
  local number = table.remove(self.waiting, 1)
  if not number then error("no " .. self.request .. " is held", 2) end
  core:answer(number, answer.code and answer or to_answer(answer))
  return self.world:run()
end

-- Answers what is new. True if anything was.
function network:serve()
  local served = false
  for _, call in ipairs(self.core:calls()) do
    if call.number > self.seen then
      self.seen = call.number
      served = self:serve_one(network.describe(call)) or served
    end
  end
  return served
end

function network:serve_one(request)
  local name = request.method .. " " .. request.path
  local script = self.scripts[name]
  self.requests[#self.requests + 1] = request
  if not script then
    self.core:answer(request.number, { code = "network" })
    error(("the rules asked for %s, which this spec does not script; world:reply(%q, {…})")
      :format(name, name), 0)
  end
  if script.held then
    script.held.count = script.held.count + 1
    table.insert(script.held.waiting, request.number)
    return false
  end
  if script.code == "timeout" then return false end
  local answer = script.answer
  if type(answer) == "function" then answer = answer(request) end
  self.core:answer(request.number, script.code and { code = script.code } or to_answer(answer))
  return true
end

function network:made(request)
  local found = {}
  for _, made in ipairs(self.requests) do
    if not request or made.method .. " " .. made.path == request then found[#found + 1] = made end
  end
  return found
end

return network
