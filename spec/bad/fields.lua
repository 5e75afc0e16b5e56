local sluice = require "sluice"
local fields = require "sluice.fields"
local app = sluice.app "bad"
fields.new { card = "nmae" }
--> 4: fields.new: 'card': unknown kind 'nmae'; did you mean 'name'? (there are: any, boolean, count, name, names, number, text)
