--- app:static(name, "/prefix", "directory"): files as they are. The directory is relative to the rule file; the
-- third argument may be { directory = ..., cache = "max-age=3600" }.

local core   = require "sluice.core"
local fail   = require "sluice.fail"
local schema = require "sluice.schema"

local SHAPE = {
  directory = { "text", required = "a directory, relative to the rule file" },
  cache     = { "text" },  -- Cache-Control; without: the browser asks each time whether it has changed
}

-- "/lib" means what is below it: "/lib/".
local function read_prefix(what, prefix)
  if type(prefix) == "string" and prefix:sub(1, 1) == "/" then return (prefix:gsub("/*$", "/", 1)) end
  fail.fault("%s: expected a prefix such as \"/assets\", got %s", what, fail.show(prefix))
  return "/"
end

return function(_, name, prefix, options)
  local what = ("app:static %s"):format(fail.show(name))
  name       = schema.name("app:static", name)
  prefix     = read_prefix(what, prefix)
  if type(options) == "string" then options = { directory = options } end
  local checked    = schema.check(what, options, SHAPE)
  local files, why = core.static {
    name          = name,
    method        = "GET",
    path          = prefix,
    place         = core.place(),
    directory     = checked.directory or ".",
    cache_control = checked.cache,
    origins       = {},
    identity      = 0,
  }
  if not files then fail.fault("%s: %s", what, why) end
end
