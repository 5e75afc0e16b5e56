local sluice = require "sluice"
local app = sluice.app "bad"
app:static("page", "assets", 7)
--> 3: app:static "page": expected a prefix such as "/assets", got "assets"
--> 3: app:static "page": expected a table of options, got 7
--> 3: app:static "page": 'directory' is missing: expected a directory, relative to the rule file
