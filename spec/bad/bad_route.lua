local sluice = require "sluice"
local app = sluice.app "bad"
app:route("a", "/a", { run = function() end })
app:route("b", "FETCH /b", { run = function() end })
--> 3: app:route "a": expected a method and a path such as "POST /threads/{peer}/open", got "/a"
--> 4: app:route "b": unknown method 'FETCH'; there are: GET, POST, PUT, PATCH, DELETE
