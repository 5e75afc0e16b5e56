-- What is known of a row. ARGV from [6]: user, peer. Answers { row, told }, "" where there is none.

local row, told = unpack(redis.call("HMGET", base .. "row:" .. name_of(ARGV[6], ARGV[7]), "row", "told"))
return { row or "", told or "" }
