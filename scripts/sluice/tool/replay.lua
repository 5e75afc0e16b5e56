--- sluice replay: [--expect FILE] [--json] RECORDING RULES...
--
-- Prints the triggers of the recording's replay, or how they differ from those of --expect. What did not fit goes to
-- stderr. Returns 0, 1 (they differ), 2 (a file is wrong).

local json      = require "cjson"
local rig       = require "sluice.rig"
local changes   = require "sluice.rig.changes"
local recording = require "sluice.rig.recording"

local EXIT_SAME, EXIT_DIFFERENT, EXIT_WRONG = 0, 1, 2

local function say(text, ...) io.stderr:write("sluice replay: ", text:format(...), "\n") end

local function read_words(words)
  local options, at = { rules = {} }, 1
  while words[at] do
    if words[at] == "--json" then options.json = true
    elseif words[at] == "--expect" then
      at = at + 1
      options.expect = words[at]
    elseif not options.recording then options.recording = words[at]
    else table.insert(options.rules, words[at]) end
    at = at + 1
  end
  return options
end

local function one_line(text) return (text:gsub("%c", function(c) return ("\\x%02x"):format(c:byte()) end)) end

local function data_of(trigger)
  if trigger.data_size then return ("(%d bytes that are not recorded)"):format(trigger.data_size) end
  return one_line(trigger.data or "")
end

local function readable(trigger)
  local who = trigger.tag and ("  (of %s, %s)"):format(trigger.user or "", trigger.tag) or ""
  local topic, type = one_line(trigger.topic), one_line(trigger.type)
  return ("%10.3f  %s  %s  %s%s"):format(trigger.at, topic, type, data_of(trigger), who)
end

local function bare(trigger)
  return trigger and { at = trigger.at, topic = trigger.topic, type = trigger.type, data = trigger.data or "",
    user = trigger.user, tag = trigger.tag }
end

local function print_triggers(triggers, as_json)
  for _, trigger in ipairs(triggers) do
    print(as_json and json.encode(bare(trigger)) or readable(trigger))
  end
end

local function print_changes(found, as_json)
  for _, change in ipairs(found) do
    if as_json then
      print(json.encode { change = change.change, was = bare(change.was), now = bare(change.now) })
    else
      if change.was then print("-" .. readable(change.was)) end
      if change.now then print("+" .. readable(change.now)) end
    end
  end
end

local function count(found)
  local counts = { missing = 0, new = 0, changed = 0 }
  for _, change in ipairs(found) do counts[change.change] = counts[change.change] + 1 end
  return counts
end

local function report_notes(world)
  for _, note in ipairs(world.notes) do
    local times = world.network.noted[note]
    say("%s%s", note, times > 1 and (" (%d times)"):format(times) or "")
  end
  for line in world:log():gmatch "[^\n]+" do
    if line:find "level=error" then say("%s", line) end
  end
end

local function run(options)
  local was, over
  if options.expect then was, over = recording.triggers(options.expect) end
  local world = rig.replay(options.recording, { rules = options.rules })
  local triggers = world:triggers()
  local found, same
  if was then found, same = changes.compare(was, triggers, over) end
  report_notes(world)
  world.core:close()
  if not was then
    print_triggers(triggers, options.json)
    return EXIT_SAME
  end
  print_changes(found, options.json)
  local counts = count(found)
  say("%d triggers are the same, %d missing, %d new, %d changed", same, counts.missing, counts.new, counts.changed)
  return #found == 0 and EXIT_SAME or EXIT_DIFFERENT
end

local good, result = pcall(run, read_words(arg))
if not good then
  say("%s", tostring(result))
  return EXIT_WRONG
end
return result
