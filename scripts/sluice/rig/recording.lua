--- Reads what `sluice record` wrote: docs/recordings.md says what is in it.

local json = require "cjson.safe"

local recording = {}

local function fail(path, line, why) error(("%s:%d: %s"):format(path, line, why), 0) end

--- The lines of a file as tables.
-- Raises "path:line: what is wrong".
function recording.lines(path)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local list = {}
  for line in file:lines() do
    local entry = json.decode(line)
    if type(entry) ~= "table" then
      file:close()
      fail(path, #list + 1, "this is no line of a recording: " .. line:sub(1, 60))
    end
    list[#list + 1] = entry
  end
  file:close()
  return list
end

local function is_recording(lines) return lines[1] ~= nil and lines[1].what == "recording" end

--- A recording: { head, entries (all lines behind the head), over (its last moment, in milliseconds) }.
function recording.read(path)
  local lines = recording.lines(path)
  if not is_recording(lines) then fail(path, 1, "this is no recording: its first line does not say so") end
  local head = table.remove(lines, 1)
  if head.version ~= 1 then
    fail(path, 1, ("a recording of version %s; this sluice reads version 1"):format(tostring(head.version)))
  end
  for index, entry in ipairs(lines) do
    if type(entry.t) ~= "number" or type(entry.what) ~= "string" then
      fail(path, index + 1, "an entry without t or what")
    end
    entry.index = index
  end
  local last = lines[#lines]
  return { head = head, entries = lines, over = last and last.t or 0, ended = last and last.what == "over" }
end

--- The triggers of a recording, or of what `sluice replay --json` printed: { at, topic, type, data, user, tag }, and
-- the moment in seconds up to which they are all there (nil: no bound).
function recording.triggers(path)
  local lines = recording.lines(path)
  if not is_recording(lines) then
    for index, trigger in ipairs(lines) do
      if not (trigger.topic and trigger.type and trigger.at) then fail(path, index, "this is no trigger") end
    end
    return lines, nil
  end
  local found, missing = {}, 0
  for _, entry in ipairs(lines) do
    if entry.what == "trigger" then
      entry.at = entry.t / 1000
      found[#found + 1] = entry
      if entry.data_size then missing = missing + 1 end
    end
  end
  return found, lines[#lines].t / 1000
end

return recording
