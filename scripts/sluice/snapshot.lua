--- What a topic's `snapshot` may answer, as the core wants it: a list of types and data by turns, all of them texts.

local core = require "sluice.core"
local fail = require "sluice.fail"
local json = require "sluice.json"

local EVENTS_MAX, BYTES_MAX = 1000, 1048576

local snapshot = {}

local function misuse(format, ...)
  error("a snapshot must return a type and its data, a list of { type, data } or nil, not "
    .. format:format(...), 0)
end

local function options_of(options)
  if options == nil then return {} end
  if type(options) ~= "table" then misuse("options that are %s", fail.show(options)) end
  for name in pairs(options) do
    if name ~= "meta" then
      error(("a snapshot: unknown option %s; it has: meta"):format(fail.show(name)), 0)
    end
  end
  return options
end

local function text_of(data)
  if data == nil or data == json.null then return "" end
  if type(data) == "string" then return data end
  if type(data) == "table" or type(data) == "number" or core.frozen_table(data) then return json.encode(data) end
  misuse("data that is %s", fail.show(data))
end

local function shaped(wrap, kind, data, options)
  local result = wrap(kind, data, options.meta)
  if type(result) == "string" or type(result) == "table" then return result end
  error(("the wrap of the topic returned %s, expected a text or a table"):format(fail.show(result)), 0)
end

-- Adds one event to the list.
local function add(list, wrap, kind, data, options)
  if type(kind) ~= "string" or kind == "" or core.breaks_line(kind) then
    misuse("a type that is %s", fail.show(kind))
  end
  options = options_of(options)
  if wrap then data = shaped(wrap, kind, data, options) end
  local text = text_of(data)
  list[#list + 1], list[#list + 2] = kind, text
  list.bytes = list.bytes + #kind + #text
  if list.bytes > BYTES_MAX then
    error(("a snapshot of more than %d bytes; let the page fetch what is so large"):format(BYTES_MAX), 0)
  end
end

local function flat(wrap, answer, data, options)
  if answer == nil or answer == false or answer == json.null then return nil end
  local list = { bytes = 0 }
  if type(answer) ~= "table" then
    add(list, wrap, answer, data, options)
    return list
  end
  if #answer > EVENTS_MAX then
    error(("a snapshot of %d events, %d at most"):format(#answer, EVENTS_MAX), 0)
  end
  if #answer == 0 and next(answer) ~= nil then misuse "a table that is no list" end
  for _, event in ipairs(answer) do
    if type(event) ~= "table" then misuse("a list with %s in it", fail.show(event)) end
    add(list, wrap, event[1], event[2], event[3])
  end
  return list
end

--- The hook's function around the rule's; what it answers is shaped by the topic's `wrap`, if it has one.
function snapshot.taking(take, wrap)
  return take and function(sub, params) return flat(wrap, take(sub, params)) end
end

return snapshot
