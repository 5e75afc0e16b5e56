local sluice = require "sluice"
return sluice
--> 1: declares no app; a rule file begins with: local app = require "sluice".app "name"
