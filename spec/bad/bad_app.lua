local sluice = require "sluice"
sluice.app "two words"
--> 2: sluice.app: expected a name (a letter, then letters, digits, '_', '-'), got "two words"
