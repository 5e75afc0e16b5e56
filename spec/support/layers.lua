--- The table of what may include what, and the reader that holds core/ to it.
--
-- docs/architecture.md draws the house; this is the same picture for the machine. `layers.complaints`
-- takes a tree of sources as `{ ["core/hub/topic.c"] = text }`, so that the specs can show it a bad one.

local layers = {}

-- folder -> the folders of core/ that it may include besides itself.
local pure  = { "base", "event", "ports" }
local rooms = { "base", "event", "ports", "hub", "upstream", "cluster", "plan", "engine" }

layers.may_include = {
  base     = {},
  ports    = { "base" },
  event    = { "base", "ports" },
  hub      = pure,
  upstream = pure,
  cluster  = pure,
  tape     = pure,
  plan     = { "base", "event", "ports", "hub", "upstream" },  -- it holds their options; they do not know it
  engine   = { "base", "event", "ports", "hub", "upstream", "cluster", "plan" },
  loop     = pure,
  http     = { "base", "event", "ports", "loop" },
  peers    = { "base", "event", "ports", "loop" },
  script   = rooms,
  rig      = { "base", "event", "ports", "hub", "upstream", "cluster", "plan", "engine", "script" },
  server   = { "base", "event", "ports", "hub", "upstream", "cluster", "tape", "plan", "engine", "script", "loop",
    "http", "peers" },
}

-- The floors that know no descriptor, no loop, no Lua and no clock: the headers of C itself, and the two
-- that name plain data (ssize_t, struct iovec).
local pure_floors = { base = true, event = true, ports = true, hub = true, upstream = true, cluster = true,
  tape = true, plan = true, engine = true }
local pure_headers = {
  assert = true, ctype = true, errno = true, inttypes = true, limits = true, math = true, stdalign = true,
  stdarg = true, stdbool = true, stddef = true, stdint = true, stdio = true, stdlib = true, string = true,
  ["sys/types"] = true, ["sys/uio"] = true,
}

-- A library's header (as a pattern) -> the folders that may know it.
layers.libraries = {
  { "^lua",      { "script", "rig" } },
  { "^lauxlib",  { "script", "rig" } },
  { "^ev%.h$",   { "loop", "peers", "server" } },
  { "^curl/",    { "peers" } },
  { "^hiredis/", { "peers" } },
  { "^llhttp",   { "http" } },
  { "^nghttp2/", { "http" } },
  { "^openssl/", { "http" } },
  { "^systemd/", { "server" } },
  { "^jwt",      { "script" } },
}

layers.lines_limit    = 500
layers.includes_limit = 15

local function has(list, item)
  for _, entry in ipairs(list) do
    if entry == item then return true end
  end
  return false
end

local function count_lines(text)
  local _, lines = text:gsub("\n", "\n")
  return lines
end

--- What is wrong with an include of `header` in `folder`, or nil.
local function bad_system_include(folder, header)
  if pure_floors[folder] and not pure_headers[header:match "^(.*)%.h$"] then
    return "a pure floor knows no <" .. header .. ">"
  end
  for _, library in ipairs(layers.libraries) do
    local pattern, folders = library[1], library[2]
    if header:find(pattern) and not has(folders, folder) then
      return "<" .. header .. "> belongs to " .. table.concat(folders, ", ")
    end
  end
end

local function bad_own_include(folder, header)
  local target = header:match "^([%w_]+)/[%w_]+%.h$"
  if not target then return '"' .. header .. '" is not of the form "folder/room.h"' end
  if not layers.may_include[target] then return '"' .. header .. '" is in no known folder' end
  if target ~= folder and not has(layers.may_include[folder], target) then
    return folder .. "/ may not include " .. target .. '/, and "' .. header .. '" is there'
  end
end

--- Everything in `sources` (path -> text) that breaks the table, as sorted sentences that begin with the path.
function layers.complaints(sources)
  local found, includers = {}, {}
  local function complain(path, sentence) found[#found + 1] = path .. ": " .. sentence end

  for path, text in pairs(sources) do
    local folder = path:match "^core/([%w_]+)/[%w_]+%.[ch]$"
    if not folder or not layers.may_include[folder] then
      complain(path, "stands on no floor")
    else
      if folder == "ports" and path:find "%.c$" then complain(path, "ports are headers only") end
      local lines = count_lines(text)
      if lines > layers.lines_limit then
        complain(path, lines .. " lines, " .. layers.lines_limit .. " at most")
      end
      for open, header in ("\n" .. text):gmatch '\n%s*#%s*include%s*([<"])([^>"]+)' do
        local bad = (open == "<" and bad_system_include or bad_own_include)(folder, header)
        if bad then complain(path, bad) end
        if open == '"' then includers[header] = (includers[header] or 0) + 1 end
      end
    end
  end
  for header, count in pairs(includers) do
    if count > layers.includes_limit and not header:find "^base/" and not header:find "^ports/" then
      complain("core/" .. header, "included by " .. count .. " units, " .. layers.includes_limit .. " at most")
    end
  end
  table.sort(found)
  return found
end

return layers
