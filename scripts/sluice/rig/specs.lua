-- What the rig does where specs run under busted: journals that differ are told line by line; a spec that fails leaves
-- no world behind that the next one would stumble over, and what its rules' log says of failed rules is shown at the
-- end.

local journal = require "sluice.rig.journal"

local specs = {}

local function teach_same()
  local assert     = require "luassert"
  local assertions = require "luassert.namespaces".assertion
  local say        = require "say"
  local plain      = assertions.same
  if plain.knows_journals then return end
  say:set("assertion.same_or_told.positive", "%s")
  assert:register("assertion", "same", function(state, arguments, level)
    local same, crumbs = plain.callback(state, arguments, level)
    if same then return same, crumbs end
    local came, expected = arguments[1], arguments[2] -- the callback has swapped them
    local told = journal.either(came, expected) and journal.difference(expected, came)
    arguments[1] = told or say(plain.positive_message, assert:format(arguments))
    arguments.n, arguments.nofmt = 1, { true }
    return same, crumbs
  end, "assertion.same_or_told.positive", plain.negative_message)
  assertions.same.knows_journals = true
end

local worlds = setmetatable({}, { __mode = "k" }) -- all that were made: by the test that runs, or else before it
local failed = {}                                 -- texts: a spec that failed, and the error lines of its worlds' logs

--- A world was made.
function specs.made(world) worlds[world] = "here" end

local function begin()
  for world in pairs(worlds) do worlds[world] = "before" end
  return nil, true
end

-- The log's error lines, but for the time, which is not one.
local function errors_of(world)
  local lines = {}
  for line in world:log():gmatch "[^\n]+" do
    if line:find("level=error", 1, true) then lines[#lines + 1] = "  " .. line:gsub("^ts=%S+ level=error ", "") end
  end
  return lines
end

local function finish(spec, _, status)
  for world, made in pairs(status ~= "success" and worlds or {}) do
    local lines = not world.closed and errors_of(world) or {}
    if #lines > 0 then failed[#failed + 1] = ("%s:\n%s"):format(spec.name, table.concat(lines, "\n")) end
    if made == "here" then pcall(world.close, world) end
  end
  return begin()
end

local function tell()
  if #failed > 0 then
    io.stdout:flush()
    io.stderr:write("\nIn the log of specs that failed:\n", table.concat(failed, "\n"), "\n")
  end
  return nil, true
end

local busted = package.loaded.busted
if busted and busted.subscribe then
  teach_same()
  busted.subscribe({ "test", "start" }, begin)
  busted.subscribe({ "test", "end" }, finish)
  busted.subscribe({ "exit" }, tell)
end

return specs
