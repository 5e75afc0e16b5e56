--- Compares two lists of triggers: topic by topic, in order, by type, data, user, tag, meta and the publisher's id.
-- Times are not compared: a server's are a little different each time; so are ids that the server made up.

local json = require "cjson.safe"

local changes = {}

local TABLE_MAX = 4000000 -- cells of the table of common subsequences; above, place by place

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

-- JSON with its members in order, so that equal values are equal texts.
local function spell(value)
  if type(value) ~= "table" then return json.encode(value) end
  local parts = {}
  for _, key in ipairs(sorted_keys(value)) do
    parts[#parts + 1] = json.encode(tostring(key)) .. ":" .. spell(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- What is equal for equal data: JSON without its spelling, any other text as it is.
function changes.meaning(data)
  local value = data and data:find "^[%[{]" and json.decode(data)
  return value and spell(value) or data or ""
end

local function key_of(trigger)
  local data = trigger.data_size and ("\0" .. trigger.data_size) or changes.meaning(trigger.data)
  local meta = trigger.meta_size and ("\0" .. trigger.meta_size) or changes.meaning(trigger.meta)
  local id = trigger.id ~= trigger.cursor and trigger.id or ""
  if id:find "^urn:uuid:" then id = "" end
  return table.concat({ trigger.type, data, trigger.user or "", trigger.tag or "", meta, id }, "\0")
end

-- The lists of each topic, and the topics in the order of their first trigger in either.
local function by_topic(was, now)
  local topics, order = {}, {}
  for side, list in ipairs { was, now } do
    for _, trigger in ipairs(list) do
      local topic = topics[trigger.topic]
      if not topic then
        topic = { {}, {} }
        topics[trigger.topic] = topic
        order[#order + 1] = trigger.topic
      end
      table.insert(topic[side], { key = key_of(trigger), trigger = trigger })
    end
  end
  return topics, order
end

-- lengths[i][j]: of the longest common subsequence of a from i on and b from j on.
local function common(a, b)
  local lengths = {}
  for i = #a + 1, 1, -1 do
    lengths[i] = {}
    for j = #b + 1, 1, -1 do
      if i > #a or j > #b then lengths[i][j] = 0
      elseif a[i].key == b[j].key then lengths[i][j] = lengths[i + 1][j + 1] + 1
      else lengths[i][j] = math.max(lengths[i + 1][j], lengths[i][j + 1]) end
    end
  end
  return lengths
end

-- Pairs (i, j) of equal ones, in order.
local function matches(a, b)
  local pairs_of, i, j = {}, 1, 1
  local lengths = #a * #b <= TABLE_MAX and common(a, b)
  while i <= #a and j <= #b do
    if a[i].key == b[j].key then
      pairs_of[#pairs_of + 1] = { i, j }
      i, j = i + 1, j + 1
    elseif not lengths then i, j = i + 1, j + 1
    elseif lengths[i + 1][j] >= lengths[i][j + 1] then i = i + 1
    else j = j + 1 end
  end
  return pairs_of
end

-- Equal ends need no table.
local function trim(a, b)
  local front = 0
  while a[front + 1] and b[front + 1] and a[front + 1].key == b[front + 1].key do front = front + 1 end
  local back = 0
  while #a - back > front and #b - back > front and a[#a - back].key == b[#b - back].key do back = back + 1 end
  local function middle(list)
    local cut = {}
    for i = front + 1, #list - back do cut[#cut + 1] = list[i] end
    return cut
  end
  return middle(a), middle(b), front + back
end

-- What stands between two matches: one for one changed, the rest missing or new.
local function add_gap(found, a, from, upto, b, begin, stop)
  while from < upto or begin < stop do
    local was, now = from < upto and a[from].trigger or nil, begin < stop and b[begin].trigger or nil
    found[#found + 1] = { change = was and now and "changed" or was and "missing" or "new", was = was, now = now }
    from, begin = from + 1, begin + 1
  end
end

local function compare_topic(found, was, now)
  local a, b, same = trim(was, now)
  local i, j = 1, 1
  for _, match in ipairs(matches(a, b)) do
    add_gap(found, a, i, match[1], b, j, match[2])
    i, j, same = match[1] + 1, match[2] + 1, same + 1
  end
  add_gap(found, a, i, #a + 1, b, j, #b + 1)
  return same
end

--- What is different in `now`, and how many triggers are the same.
-- @param was, now lists of { at, topic, type, data, user, tag }
-- @param over the second up to which `was` is whole, or nil: what is new behind it is no change
-- @return a list of { change = "missing" | "new" | "changed", was, now }, by topic; and the number
function changes.compare(was, now, over)
  local topics, order = by_topic(was, now)
  local found, same = {}, 0
  for _, name in ipairs(order) do
    local all = {}
    same = same + compare_topic(all, topics[name][1], topics[name][2])
    for _, change in ipairs(all) do
      if not (over and change.change == "new" and change.now.at > over) then found[#found + 1] = change end
    end
  end
  return found, same
end

return changes
