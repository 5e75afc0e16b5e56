local sluice = require "sluice"
local app = sluice.app "bad"
local roles = sluice.roles { "viewer", "editor" }
app:route("r", "GET /r", { identity = roles:at_least("editr", function() end), run = function() end })
--> 4: roles:at_least: expected one of viewer, editor, got "editr"; did you mean 'editor'?
