-- sluice spec: busted, with the library and the rig where `require` finds them. Exit codes: 0, all passed; 1, some did
-- not; 2, there is nothing to run or nothing to run it with.

local WRONG = 2

local function say(format, ...)
  io.stdout:flush()
  io.stderr:write("sluice spec: ", format:format(...), "\n")
  return WRONG
end

-- Busted forgets, between files, the modules that a file loaded. A C module does not survive being loaded twice into
-- one process (its metatables would be two, its static state one): the second time it is what it was the first.
local function load_c_modules_once()
  local loaded = {}
  for place = 3, 4 do -- what finds C modules, and those within others, by package.cpath
    local search = package.loaders[place]
    package.loaders[place] = function(name)
      local found = search(name)
      if type(found) ~= "function" then return found end
      return function(...)
        if loaded[name] == nil then loaded[name] = found(...) end
        return loaded[name]
      end
    end
  end
end

-- Busted's own way out of the process; here the process is not its.
local function leave(code) error({ leaves = true, code = code }, 0) end

-- What busted would make of the words: the options; or nil and the exit code.
local function read_words(words)
  local cli = require "busted.modules.cli" { output = "plainTerminal", standalone = false }
  cli:set_name "sluice spec"
  local options, text = cli:parse(words)
  if options then return options end
  text = text:gsub("^sluice spec: error: ", "")
  if not text:find "^Usage:" then return nil, say("%s", text) end
  print((text:gsub("; re%-run with %-%-help for usage%.$", "")))
  return nil, 0
end

-- Is there a spec in the files and folders that were named, or in spec/? Else the exit code, which is said.
local function missing(options)
  local path  = require "pl.path"
  local files = select(3, require "busted.modules.test_file_loader"({ publish = function() end }, {}))
  local found = 0
  for _, root in ipairs(options.ROOT) do
    local place = path.join(options.directory, root)
    if not path.exists(place) then
      return say("there is no '%s' in %s; name spec files or folders, or write a first one: sluice new APP",
        root, path.abspath(options.directory))
    end
    found = found + #files({ place }, options.pattern,
      { excludes = options["exclude-pattern"], recursive = options.recursive })
  end
  if found > 0 then return end
  return say("no file in %s has '%s' in its name", table.concat(options.ROOT, ", "),
    table.concat(options.pattern, "' or '"))
end

-- How many specs ended, of the busted that the runner makes.
local function count_specs()
  local make, count = require "busted.core", 0
  package.loaded["busted.core"] = function()
    local busted = make()
    busted.subscribe({ "test", "end" }, function()
      count = count + 1
      return nil, true
    end)
    return busted
  end
  return function() return count end
end

-- The runner calls itself after the file that calls it.
local call = assert(loadstring("local run, options = ...\nrun(options)", "@sluice spec"))

local function main(words)
  if not package.searchpath("busted.runner", package.path) then
    return say "busted is not installed: apt-get install lua-busted"
  end
  load_c_modules_once()
  require "busted.compatibility".exit = leave
  table.insert(words, 1, "--ignore-lua") -- of a .busted: this is LuaJIT already
  local options, code = read_words(words)
  if not options then return code end
  code = not options.version and missing(options)
  if code then return code end
  _G.arg = words
  local specs = count_specs()
  local good, fault = pcall(call, require "busted.runner", { standalone = false })
  if not good and not (type(fault) == "table" and fault.leaves) then error(fault, 0) end
  if not good and fault.code ~= 0 then return 1 end
  if specs() > 0 or options.version or options.list then return 0 end
  return say "none of the specs was to be run"
end

return main(arg)
