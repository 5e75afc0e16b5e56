--- The environment of rule files: strict, and without what could stop or leave the process. See also
-- core/script/sandbox.c, whose half bounds the string library.

local core    = require "sluice.core"
local globals = require "sluice.globals"
local tasks   = require "sluice.coroutines"
local log     = require "sluice.log"

local sandbox = {}

-- What rule files may require, for messages.
local PUBLIC = { "sluice", "sluice.cache", "sluice.fields", "sluice.http", "sluice.json", "sluice.jwt", "sluice.log",
                 "sluice.redis", "sluice.store", "sluice.tags", "sluice.time", "sluice.uri_template",
                 "sluice.watermark" }

local function copy(module)
  local own = {}
  for name, value in pairs(module) do own[name] = value end
  return own
end

local env = {
  _VERSION = _VERSION, assert = assert, error = error, getmetatable = getmetatable, next = next,
  pairs = core.pairs, pcall = pcall, rawequal = rawequal, rawget = rawget, rawset = rawset, select = select,
  setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
  bit = copy(bit), math = copy(math), string = string, table = copy(table), coroutine = tasks,
}
env._G = env

function env.ipairs(list)
  if type(list) ~= "userdata" then return ipairs(list) end
  return function(value, at)
    local item = value[at + 1]
    if item ~= nil then return at + 1, item end
  end, list, 0
end

-- The handler runs after the stack is unwound: within, the watchdog could not stop it.
function env.xpcall(run, handler, ...)
  local function answer(ok, ...)
    if ok then return true, ... end
    return false, handler((...))
  end
  return answer(pcall(run, ...))
end

function env.print(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  log.info("printed", { text = table.concat(words, " ") })
end

local function load_text(text, name, _, environment)
  if type(text) == "function" then
    local pieces, piece = {}, text()
    while piece and piece ~= "" do pieces[#pieces + 1], piece = piece, text() end
    text = table.concat(pieces)
  end
  return core.load(text, name or "=load", environment or env)
end

env.load, env.loadstring = load_text, load_text

local real_time, real_date = os.time, os.date

env.os = {
  time  = function(date) return date and real_time(date) or math.floor(core.now()) end,
  date  = function(format, time) return real_date(format, time or math.floor(core.now())) end,
  clock = core.monotonic,
  difftime = os.difftime,
}

-- Modules

local folder = core.path:match "^(.*/)" or ""
local loaded, LOADING = {}, {}

local function read_beside(name)
  local path  = folder .. name:gsub("%.", "/") .. ".lua"
  local chunk, why = core.load_file(path, "@" .. path, env)
  if chunk then return chunk, path end
  if not why:find("No such file", 1, true) then error(why, 0) end
  local nearest = core.nearest(name, PUBLIC)
  error(("%s: no module '%s': neither the library's nor the file %s%s"):format(
    core.place(), name, path, nearest and ("; did you mean '" .. nearest .. "'?") or ""), 0)
end

function env.require(name)
  if type(name) ~= "string" or not name:find "^[%w_]+[%w_.]*$" or name:find("..", 1, true) then
    error(core.place() .. ": require: expected the name of a module, got " .. tostring(name), 0)
  end
  for _, public in ipairs(PUBLIC) do
    if name == public then return require(name) end
  end
  if loaded[name] == LOADING then error(core.place() .. ": the module '" .. name .. "' requires itself", 0) end
  if loaded[name] == nil then
    local chunk, path = read_beside(name)
    loaded[name] = LOADING
    globals.check(chunk, path, env)
    local module = chunk(name)
    loaded[name] = module == nil and true or module
  end
  return loaded[name]
end

-- A global that nobody made is a misspelt name or a forgotten `local`.

setmetatable(env, {
  __index    = function(_, name) error(core.place() .. ": " .. globals.unknown(name, env), 0) end,
  __newindex = function(_, name) error(core.place() .. ": " .. globals.assigned(name), 0) end,
  __metatable = "strict",
})

--- Runs a rule file.
function sandbox.run(path)
  local chunk, why = core.load_file(path, "@" .. path, env)
  if not chunk then error(why, 0) end
  globals.check(chunk, path, env)
  chunk()
end

return sandbox
