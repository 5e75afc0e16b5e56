--- sluice.tags: session tags, the random names that tabs give themselves.

local core = require "sluice.core"
local fail = require "sluice.fail"

local tags = {}

--- Is it one? 16 to 64 of A-Z, a-z, 0-9, '_', '-'.
function tags.valid(tag) return core.is_tag(tag) end

--- The tag that a request carries: an explicit one (a field of its body, say), else X-Session-Tag, else ?tag=.
-- What is no valid tag does not count. nil: none.
function tags.of(req, explicit)
  if core.is_tag(explicit) then return explicit end
  return req.tag
end

--- A new one.
function tags.new() return core.token() end

return fail.strict("sluice.tags", tags)
