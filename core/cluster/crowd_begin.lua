-- A node begins a session. ARGV behind those of crowd.lua: did it live in an earlier epoch (0, 1), its last
-- session that it knows to have begun (0: none), the newest call of that whose answer it has, and how long it may
-- take to register what it has.

local heir, before, arrived, register_ms = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])

local last = redis.call("HGET", root .. "sessions", node)
if last and tonumber(last) >= tonumber(session) then return { "over" } end

local until_ms = math.floor(redis.call("HGET", prefix .. ":epoch", "began") / 1000) + DEAD_MS
if heir == "1" and until_ms > now then redis.call("SET", root .. "heirs", digits(until_ms), "EX", 60) end

local function clear(number, known)
  inherit(owed_of(number), known)
  redis.call("ZADD", root .. "over", digits(now + register_ms), node .. ":" .. number)
end
if before ~= "0" then clear(before, arrived) end
if last and last ~= before then clear(last, 0) end
redis.call("HSET", root .. "sessions", node, session)
return answer(false)
