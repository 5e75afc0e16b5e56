--- A strict reader of Prometheus' text format 0.0.4: raises where a scraper, or one who writes alerts, would stumble.

local prometheus = {}

-- Names that others use, whose endings say something else than their types.
local borrowed = { sse_connections_total = "gauge", sse_channels_total = "gauge", sse_events_sent = "counter",
                   redis_publish_errors = "counter" }
local known = { counter = true, gauge = true, histogram = true }

-- `{a="b",c="d"}` as a table; values are unescaped.
local function read_labels(text, line)
  local labels, at = {}, 2
  if text == "" then return labels end
  assert(text:sub(1, 1) == "{" and text:sub(-1) == "}", "no labels: " .. line)
  while at < #text do
    local name, from = text:match('^([%a_][%w_]*)="()', at)
    assert(name and not labels[name], "a label is wrong or twice: " .. line)
    local value, stop = "", from
    while text:sub(stop, stop) ~= '"' do
      local escaped = text:match('^\\([\\"n])', stop)
      assert(escaped or text:find('^[^\\"\n]', stop), "a label's value is wrong: " .. line)
      value = value .. (escaped == "n" and "\n" or escaped or text:sub(stop, stop))
      stop = stop + (escaped and 2 or 1)
    end
    labels[name] = value
    at = stop + 1
    assert(text:find("^,%a", at) or text:find("^}$", at), "labels do not end well: " .. line)
    at = at + 1
  end
  return labels
end

local function family_of(name, types)
  if types[name] then return name end
  local base = name:match "^(.*)_bucket$" or name:match "^(.*)_sum$" or name:match "^(.*)_count$"
  return base and types[base] == "histogram" and base or nil
end

-- Buckets rise with their bounds and end with +Inf, which is the count.
local function check_histogram(name, series)
  for key, buckets in pairs(series) do
    table.sort(buckets, function(a, b) return a.le < b.le end)
    local last = 0
    for _, bucket in ipairs(buckets) do
      assert(bucket.count >= last, name .. key .. " falls")
      last = bucket.count
    end
    assert(#buckets > 1 and buckets[#buckets].le == math.huge, name .. key .. " has no +Inf")
    assert(buckets.count == last and buckets.sum, name .. key .. " counts something else than its buckets")
  end
end

local function key_of(labels)
  local list = {}
  for label, value in pairs(labels) do
    if label ~= "le" then list[#list + 1] = ("%s=%q"):format(label, value) end
  end
  table.sort(list)
  return table.concat(list, ",")
end

local function add_to_histogram(histograms, family, name, labels, value)
  local series = histograms[family]
  local key = key_of(labels)
  series[key] = series[key] or {}
  if name == family .. "_bucket" then
    local le = labels.le == "+Inf" and math.huge or assert(tonumber(labels.le), "a bound is no number")
    table.insert(series[key], { le = le, count = value })
  else
    series[key][name:sub(#family + 2)] = value
  end
end

--- The values by series as the text has them (`name{label="value"}`), and the types by family.
function prometheus.parse(text)
  local series, types, help, histograms, closed, current = {}, {}, {}, {}, {}, nil
  assert(text:sub(-1) == "\n", "the last line has no end")
  for line in text:gmatch "([^\n]*)\n" do
    local kind, name, rest = line:match "^# (%u+) ([%a_:][%w_:]*) (.+)$"
    if kind == "HELP" then
      assert(not help[name], name .. " has two helps")
      help[name] = rest
    elseif kind == "TYPE" then
      assert(not types[name] and known[rest], line)
      assert(help[name], name .. " has no help")
      types[name], histograms[name] = rest, rest == "histogram" and {} or nil
    else
      local full, value = line:match "^(.-) (%-?[%d.e+-]+)$"
      local metric, labels = (full or ""):match "^([%a_:][%w_:]*)(.*)$"
      assert(metric, "no series: " .. line)
      local family = assert(family_of(metric, types), metric .. " has no type")
      if family ~= current then
        assert(not closed[family], family .. " is not in one place")
        closed[family], current = true, family
      end
      assert(not series[full], full .. " is there twice")
      series[full] = assert(tonumber(value), line)
      local named = read_labels(labels, line)
      if histograms[family] then add_to_histogram(histograms, family, metric, named, series[full]) end
    end
  end
  for name, list in pairs(histograms) do check_histogram(name, list) end
  for name, kind in pairs(types) do
    assert(borrowed[name] == kind or (name:find "_total$" ~= nil) == (kind == "counter"), name .. " is named wrongly")
  end
  return series, types
end

return prometheus
