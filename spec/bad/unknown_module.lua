local sluice = require "sluice"
local http = require "sluice.htpp"
--> 2: no module 'sluice.htpp': neither the library's nor the file spec/bad/sluice/htpp.lua; did you mean 'sluice.http'?
