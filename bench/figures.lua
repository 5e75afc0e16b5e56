--- From the runs of a benchmark to its figures: one row for each case and server.
--
-- A run is load's report with `case` and `server` added, or `error` in place of the report. A server that ran
-- more than once in a case (bare runs before and after the others) gets the mean, so that a machine that
-- grows slower or faster meanwhile is evened out; `spread` says how far apart the runs were.

local figures = {}

local MEANS = { "per_cpu_s", "bytes_per_stream", "bytes_per_delivery", "p50_us", "p99_us", "p999_us", "seconds",
                "server_cpu_s", "generator_cpu_s", "deliveries_s", "more_bytes" }

local function mean_of(runs, key)
  local sum, count, low, high = 0, 0, math.huge, 0
  for _, run in ipairs(runs) do
    local value = run[key]
    if value then
      sum, count = sum + value, count + 1
      low, high = math.min(low, value), math.max(high, value)
    end
  end
  if count == 0 then return nil end
  return sum / count, low > 0 and high / low - 1 or 0
end

local function runs_of(runs, case, server)
  local found = {}
  for _, run in ipairs(runs) do
    if run.case == case.name and run.server == server then found[#found + 1] = run end
  end
  return found
end

local function row_of(case, server, runs)
  local row = { case = case.name, title = case.title, unit = case.unit, server = server, expected = case.expected }
  for _, run in ipairs(runs) do
    if run.error then
      row.error = run.error
      return row
    end
  end
  for _, key in ipairs(MEANS) do row[key] = mean_of(runs, key) end
  row.figure, row.spread = mean_of(runs, case.figure)
  row.server_share    = row.seconds and row.server_cpu_s / row.seconds
  row.generator_share = row.generator_cpu_s and row.generator_cpu_s / row.seconds
  return row
end

local function is_floor(case) return case.unit == "per CPU-second" end

--- Whether a row keeps what its case expects of sluice; nil where nothing is expected.
function figures.kept(row)
  local expected = row.expected
  if not expected or row.server ~= "sluice" or not row.figure then return nil end
  if expected.at_most then return row.figure <= expected.at_most end
  return row.of_bare ~= nil and row.of_bare >= expected.at_least
end

--- The rows, in the order of the cases and of their servers.
-- @tparam {case,...} list
-- @tparam {run,...} runs
function figures.rows(list, runs)
  local rows = {}
  for _, case in ipairs(list) do
    local floor, seen = nil, {}
    for _, server in ipairs(case.servers) do
      local found = not seen[server] and runs_of(runs, case, server) or {}
      seen[server] = true
      if #found > 0 then
        local row = row_of(case, server, found)
        if server == "bare" and is_floor(case) then floor = row.figure end
        row.of_bare = floor and row.figure and row.figure / floor or nil
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

return figures
