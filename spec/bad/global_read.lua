local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a", { run = function()
  if false then return prnt "never run" end
  return 204
end })
--> 4: unknown global 'prnt'; did you mean 'print'?
