--- What a rule file declares, kept as it was checked, for the page that `sluice docs` writes of it. The tables are
-- those that the declarations made anyway; the page is only made when somebody asks.

local core = require "sluice.core"

local described = {}

local list = {}

--- Notes a declaration.
-- @param kind "app", "topic", "stream", "ingest", "route"
-- @param fields what the page says of it; see sluice.channels
function described.add(kind, fields)
  fields.kind, fields.place = kind, core.place()
  list[#list + 1] = fields
end

core.on_channels(function() return require("sluice.channels").page(list) end)

return described
