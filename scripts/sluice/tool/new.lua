-- sluice new APP: a rule file, its spec, and a config that serves it, in this folder. The texts are the files in new/,
-- in which @APP@ stands for the name and @VARIABLE@ for it as an environment variable has it. Exit codes: 0 and 2.

local ffi = require "ffi"

ffi.cdef "int mkdir(const char *path, unsigned int mode);"

local WRONG = 2

local function say(format, ...)
  io.stderr:write("sluice new: ", format:format(...), "\n")
  return WRONG
end

local texts = debug.getinfo(1, "S").source:match "^@(.*)%.lua$" .. "/"

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text or "" -- a folder of that name
end

local function variable_of(app) return (app:upper():gsub("%W", "_")) end

local function text_for(app, template)
  return (assert(read(texts .. template)):gsub("@(%u+)@", { APP = app, VARIABLE = variable_of(app) }))
end

local function write(path, text)
  local folder = path:match "^(.*)/"
  if folder then ffi.C.mkdir(folder, 511) end -- where it is there already, that is fine
  local file, why = io.open(path, "wb")
  if not file then return nil, why end
  local good, fault = file:write(text)
  file:close()
  return good, fault
end

local function fault_of(words)
  local app = words[1]
  if not app then return "expected a name, as in: sluice new news" end
  if words[2] then return ("'%s' is one word too many: one app at a time"):format(words[2]) end
  if not app:find "^%a[%w_-]*$" or #app > 64 then
    return ("expected a name (a letter, then letters, digits, '_', '-'; 64 at most), got '%s'"):format(app)
  end
end

local function next_steps(app, served)
  local lines = { "\nNext:", "  sluice spec      run its spec", "  sluice check     see what would be served" }
  if not served then
    lines[1] = ('\nsse.lua.conf is there already: put "rules/%s.lua" into its rules.\n%s'):format(app, lines[1])
  end
  lines[#lines + 1] = ("  sluice run       serve it: the stream is /%s/events; its app is expected at %s_URL")
    :format(app, variable_of(app))
  return table.concat(lines, "\n")
end

local function main(words)
  local fault = fault_of(words)
  if fault then return say("%s", fault) end
  local app = words[1]
  local files = {
    { path = ("rules/%s.lua"):format(app), template = "rules.lua", what = "who sees what, and what its events mean" },
    { path = ("spec/%s_spec.lua"):format(app), template = "spec.lua", what = "the same, tried out" },
  }
  for _, file in ipairs(files) do
    if read(file.path) then return say("%s is there already; nothing was written", file.path) end
  end
  local served = not read "sse.lua.conf"
  if served then files[3] = { path = "sse.lua.conf", template = "sse.lua.conf", what = "serves it" } end
  for _, file in ipairs(files) do
    local good, why = write(file.path, text_for(app, file.template))
    if not good then return say("%s", why) end
    print(("wrote %-28s %s"):format(file.path, file.what))
  end
  print(next_steps(app, served))
  return 0
end

return main(arg)
