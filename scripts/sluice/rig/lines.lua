-- How two lists of lines differ, as `diff -u` would show it.

local lines = {}

local CONTEXT = 3        -- lines shown around those that differ
local CELLS   = 4000000  -- of the table that finds the least difference; above, it is not looked for

-- Lengths of the longest common subsequences of all ends of `from` and `to`.
local function common(from, to)
  local length = { [#from + 1] = {} }
  for i = #from, 1, -1 do
    length[i] = {}
    for j = #to, 1, -1 do
      length[i][j] = from[i] == to[j] and (length[i + 1][j + 1] or 0) + 1
        or math.max(length[i + 1][j] or 0, length[i][j + 1] or 0)
    end
  end
  return function(i, j) return length[i] and length[i][j] or 0 end
end

-- The lines with their marks: "  " both, "- " only `from`, "+ " only `to`.
local function differ(from, to)
  local length = #from * #to <= CELLS and common(from, to) or function() return 0 end
  local marked, i, j = {}, 1, 1
  while i <= #from or j <= #to do
    if i <= #from and from[i] == to[j] then
      marked[#marked + 1], i, j = "  " .. from[i], i + 1, j + 1
    elseif i <= #from and (j > #to or length(i + 1, j) >= length(i, j + 1)) then
      marked[#marked + 1], i = "- " .. from[i], i + 1
    else
      marked[#marked + 1], j = "+ " .. to[j], j + 1
    end
  end
  return marked
end

-- Leaves out what is the same far from all that differs.
local function shorten(marked)
  local near, short, left = {}, {}, 0
  for i, line in ipairs(marked) do
    for k = i - CONTEXT, i + CONTEXT do near[k] = near[k] or line:sub(1, 1) ~= " " end
  end
  for i = 1, #marked + 1 do
    if marked[i] and not near[i] then
      left = left + 1
    else
      if left > 0 then short[#short + 1] = ("  ... %d the same"):format(left) end
      short[#short + 1], left = marked[i], 0
    end
  end
  return short
end

--- Each line of the difference with its mark, "- " where only `from` has it and "+ " where only `to` has; nil where
-- there is none.
function lines.difference(from, to)
  local marked = differ(from, to)
  if #marked == #from and #marked == #to then return nil end
  return table.concat(shorten(marked), "\n")
end

return lines
