--- How figures are shown: a table for the terminal, one for docs/performance.md.

local figures = require "figures"

local tables = {}

local BEGIN, END = "<!-- results: written by bench/run --write-docs -->", "<!-- end of results -->"

--- 1234567 as "1,234,567".
local function grouped(number)
  local text = ("%.0f"):format(number)
  repeat
    local count
    text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until count == 0
  return text
end

local function figure_of(row)
  if row.error then return "failed" end
  return row.unit == "times the cost" and ("%.2f"):format(row.figure) or grouped(row.figure)
end

local function latency(us)
  if not us then return "" end
  return us < 1000 and ("%.0f us"):format(us) or ("%.1f ms"):format(us / 1000)
end

local function share(part) return part and ("%.0f %%"):format(100 * part) or "" end

local function expected(row)
  local kept = figures.kept(row)
  if kept == nil then return "" end
  local wanted = row.expected.at_most and "at most " .. grouped(row.expected.at_most)
    or "at least " .. row.expected.at_least
  return wanted .. (kept and ": yes" or ": no")
end

local COLUMNS = {
  { "case",      function(row) return row.title end, left = true },
  { "server",    function(row) return row.server end, left = true },
  { "figure",    figure_of },
  { "unit",      function(row) return row.unit end, left = true },
  { "of bare",   function(row) return row.of_bare and ("%.2f"):format(row.of_bare) or "" end },
  { "p50",       function(row) return latency(row.p50_us) end },
  { "p99",       function(row) return latency(row.p99_us) end },
  { "p999",      function(row) return latency(row.p999_us) end },
  { "server",    function(row) return share(row.server_share) end },
  { "generator", function(row) return share(row.generator_share) end },
  { "spread",    function(row) return row.spread and row.spread > 0 and share(row.spread) or "" end },
  { "expected",  expected, left = true },
}

local function cells_of(rows)
  local lines = { {} }
  for i, column in ipairs(COLUMNS) do lines[1][i] = column[1] end
  for _, row in ipairs(rows) do
    local line = {}
    for i, column in ipairs(COLUMNS) do line[i] = column[2](row) end
    lines[#lines + 1] = line
  end
  return lines
end

local function widths_of(lines)
  local widths = {}
  for _, line in ipairs(lines) do
    for i, cell in ipairs(line) do widths[i] = math.max(widths[i] or 3, #cell) end
  end
  return widths
end

local function pad(cell, width, left)
  local blanks = (" "):rep(width - #cell)
  return left and cell .. blanks or blanks .. cell
end

local function lay_out(lines, separator, edge)
  local widths, out = widths_of(lines), {}
  for l, line in ipairs(lines) do
    local cells = {}
    for i, cell in ipairs(line) do cells[i] = pad(cell, widths[i], COLUMNS[i].left) end
    out[l] = (edge .. table.concat(cells, separator) .. edge:reverse()):gsub("%s+$", "")
  end
  return out, widths
end

--- The table for a terminal.
function tables.text(rows) return table.concat(lay_out(cells_of(rows), "  ", ""), "\n") end

local function markdown(rows)
  local out, widths = lay_out(cells_of(rows), " | ", "| ")
  local rules = {}
  for i, width in ipairs(widths) do
    rules[i] = ("-"):rep(width - 1) .. (COLUMNS[i].left and "-" or ":")
  end
  table.insert(out, 2, "| " .. table.concat(rules, " | ") .. " |")
  return table.concat(out, "\n")
end

--- Puts the results into the document, between its two marks.
-- @tparam string path
-- @tparam table results as in results.json
function tables.write_docs(path, results)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  local head, tail = text:find(BEGIN, 1, true), text:find(END, 1, true)
  assert(head and tail, path .. " has lost the marks of its results")
  local notes = {}
  for _, note in ipairs(results.notes) do notes[#notes + 1] = "- " .. note .. "\n" end
  local machine = results.machine
  local section = ("%s\n\n%s, `%s`, on %d cores of %s, Linux %s, load %.2f before it:\n\n%s\n\n%s%s"):format(
    BEGIN, results.date, results.command, machine.cores, machine.cpu, machine.kernel, machine.load,
    markdown(results.figures),
    table.concat(notes), #notes > 0 and "\n" or "")
  file = assert(io.open(path, "w"))
  file:write(text:sub(1, head - 1), section, text:sub(tail))
  file:close()
end

return tables
