-- Runs once, before busted loads a spec file.
--
-- Busted forgets, between files, the modules that a file loaded. A C module does not survive being
-- loaded twice into one process (its metatables would be two, its static state one), so what is in C
-- is loaded here, where busted keeps it.

for _, name in ipairs { "ffi", "bit", "cjson", "cjson.safe", "posix", "socket.core", "sluice.core" } do
  pcall(require, name)
end

-- A global that nobody declared is a misspelt name.
setmetatable(_G, {
  __newindex = function(globals, name, value)
    local caller = debug.getinfo(2, "S")
    if caller.what ~= "C" and caller.short_src:find("^%.?/?spec/") then
      error("assignment to the undeclared global '" .. tostring(name) .. "'", 2)
    end
    rawset(globals, name, value)
  end,
})
