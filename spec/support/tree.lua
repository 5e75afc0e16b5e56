--- The project's own files, for the specs that read them.

local tree = {}

--- The paths under `folder` (a folder at the root) whose names end in one of `extensions`, sorted.
-- What is generated or fetched (build/, node_modules/) is not the project's.
function tree.files(folder, extensions)
  local paths = {}
  local find = assert(io.popen("find " .. folder .. " -name node_modules -prune -o -type f -print 2>/dev/null"))
  for path in find:lines() do
    if extensions[path:match "%.([%w]+)$" or ""] then paths[#paths + 1] = path end
  end
  find:close()
  table.sort(paths)
  return paths
end

--- The whole of a file.
function tree.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

return tree
