local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "GET /a", { run = function()
  count = 1
  return 204
end })
function helper() end
--> 4: assignment to the global 'count'; rule files have none: write `local count`
--> 7: assignment to the global 'helper'; rule files have none: write `local helper`
