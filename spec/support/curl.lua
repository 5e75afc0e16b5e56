--- Curl as a client: the program itself, its output parsed as a stream.

local proc = require "spec.support.proc"
local sse  = require "spec.support.sse"

local curl = {}

local function url_of(address, path)
  local socket = address:match "^unix:(.+)$"
  if socket then return "http://localhost" .. path, { "--unix-socket", socket } end
  return "http://" .. address .. path, {}
end

--- Opens a stream with curl. `options`: `path` ("/events"), `headers`. Returns a stream of sse.lua whose `kill()`
-- ends curl without a word to the server.
function curl.open(address, options)
  options = options or {}
  local url, words = url_of(address, options.path or "/events")
  local command = { "curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "*", unpack(words) }
  for name, value in pairs(options.headers or {}) do
    command[#command + 1] = "--header"
    command[#command + 1] = name .. ": " .. value
  end
  command[#command + 1] = url
  local process = proc.spawn(command, { env = { LD_PRELOAD = false } })
  local read = 0
  local self = sse.follow(function()
    local alive, text = process:alive(), process:output()
    local bytes = text:sub(read + 1)
    read = #text
    if alive or bytes ~= "" then return bytes end
  end)
  function self.kill() process:kill() end
  return self
end

return curl
