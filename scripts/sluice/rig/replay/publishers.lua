--- Publishers of a recording, whose keys are not in it: methods of the play in sluice.rig.replay.

local Publishers = { readers = {} }

function Publishers.readers.answer(self, entry) self.statuses[entry.id] = entry.status end

--- A header's value. The pseudonym of a key that opened an ingest of `sluice.bearer` stands for the key that opens it
-- today; one that did not open it opens nothing.
function Publishers:key_in_place(entry, header)
  local key = header[1] == "authorization" and self.keys[entry.path]
  if not key or self.statuses[entry.id] == 401 then return header[2] end
  return (header[2]:gsub("^(%a+ )secret%-%d+$", function(scheme) return scheme .. key end))
end

return Publishers
