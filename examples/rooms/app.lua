-- examples/rooms/app.lua: a stand-in for the app whose rooms these are, so that the example runs on one machine. It
-- hands out tokens, says who may enter which room, and paints pictures: jobs that take a few seconds and say how
-- far they are. Four people use it, without passwords: who says that she is ann is ann.
local sluice = require "sluice"
local http   = require "sluice.http"
local json   = require "sluice.json"
local jwt    = require "sluice.jwt"
local log    = require "sluice.log"
local redis  = require "sluice.redis"
local store  = require "sluice.store"
local time   = require "sluice.time"

local app    = sluice.app "rooms-app"
local EVENTS = sluice.env("EVENTS_URL", "http://127.0.0.1:8380")
local REDIS  = sluice.env("PERSONA_REDIS", "")          -- the bus that the nodes hear; without, one is told by HTTP
local KEY    = sluice.env "PERSONA_PUBLISH_KEY"
local SECRET = sluice.env "PERSONA_JWT_KEY"
local LIFE   = tonumber(sluice.env("ROOMS_TOKEN_LIFE", "3600")) -- in seconds; then the page asks for the next token
local JOBS   = 20                                        -- at a time

local ROOMS = {
  { id = "general", name = "General", about = "What concerns everybody" },
  { id = "studio",  name = "Studio",  about = "Pictures in the making" },
  { id = "kitchen", name = "Kitchen", about = "Coffee, cake and who washes up" },
  { id = "office",  name = "Office",  about = "Ann and Bob only" },
}
local PEOPLE = {
  { user = "ann",  name = "Ann Lunde",   rooms = { "general", "studio", "kitchen", "office" } },
  { user = "bob",  name = "Bob Aasen",   rooms = { "general", "studio", "kitchen", "office" } },
  { user = "cleo", name = "Cleo Moreau", rooms = { "general", "studio", "kitchen" } },
  { user = "dag",  name = "Dag Nygård",  rooms = { "general", "studio", "kitchen" } },
}

local function opens(rooms, id)
  for _, room in ipairs(rooms) do
    if room == id then return true end
  end
  return false
end

local holder = jwt.identity {
  keys = jwt.keys { { alg = "HS256", key = SECRET } },
  aud  = "persona",
  data = function(claims) return { name = claims.name, channels = claims.channels } end,
}

app:route("people", "GET /people", { run = function()
  local people = {}
  for i, person in ipairs(PEOPLE) do people[i] = { user = person.user, name = person.name } end
  return { json = { people = people } }
end })

app:route("login", "POST /login", { run = function(req)
  for _, person in ipairs(PEOPLE) do
    if person.user == req:json().user then
      local claims = { sub = person.user, name = person.name, channels = person.rooms, aud = "persona",
                       exp = math.floor(time.now()) + LIFE }
      local token = jwt.sign(claims, { alg = "HS256", key = SECRET })
      return { json = { user = person.user, name = person.name, token = token } }
    end
  end
  return 422
end })

app:route("rooms", "GET /rooms", { identity = holder, run = function(req)
  local rooms = {}
  for _, room in ipairs(ROOMS) do
    if opens(req.data.channels, room.id) then rooms[#rooms + 1] = room end
  end
  return { json = { rooms = rooms } }
end })

-- Jobs. Each is an entry of the store, and goes one step a beat.

local STEPS = { "Stretching the canvas", "Mixing the colours", "Painting the sky", "Painting the hills",
                "Waiting for the light", "Signing it" }

local bus = REDIS ~= "" and redis.connect(REDIS)

-- Whoever listens has it: one node, for all. In the seconds in which that passes to another nobody does.
local function tell_by_redis(topic, message)
  return (bus:try("PUBLISH", "realtime:" .. topic, json.encode(message)) or 0) > 0
end

local function tell_by_http(topic, message)
  local answer = http.try {
    method  = "POST",
    url     = EVENTS .. "/api/realtime",
    headers = { authorization = "Bearer " .. KEY },
    json    = { type = "message", topic = "realtime:" .. topic, data = message },
    timeout = 2,
  }
  return answer and answer:ok()
end

local function tell(topic, message)
  local told = (bus and tell_by_redis or tell_by_http)(topic, message)
  if not told then log.warn("not told", { topic = topic }) end
  return told
end

local function message_of(job, type)
  return { type = type, jobId = job.job, userId = job.user, userName = job.name, content = job.title,
           channel = "channel:" .. job.room }
end

-- What is done is told in its room, and to whom asked for it, wherever that one is.
local function finish(key, job)
  local message  = message_of(job, "generation_complete")
  message.status = "done"
  message.result = { seed = job.seed }
  if not tell("channel:" .. job.room, message) then return end -- the next beat tries again
  tell("user:" .. job.user, message)
  store.delete(key)
end

-- A step that nobody heard of is told again with the next beat.
local function work(key)
  local job = store.get(key)
  if job.progress == 100 then return finish(key, job) end
  job.progress = math.min(job.progress + math.random(3, 9), 100)
  local message    = message_of(job, "generation_progress")
  message.status   = "running"
  message.progress = job.progress
  message.message  = STEPS[math.min(math.floor(job.progress / 100 * #STEPS) + 1, #STEPS)]
  if tell("channel:" .. job.room, message) then store.set(key, job) end
end

app:every("work", { period = 0.2, run = function()
  for _, key in ipairs(store.keys "job:") do work(key) end
end })

app:route("jobs", "POST /jobs", { identity = holder, run = function(req)
  local wanted = req:json()
  local title  = type(wanted.title) == "string" and wanted.title:match "^%s*(.-)%s*$" or ""
  if title == "" or #title > 200 then return 422 end
  if not opens(req.data.channels, wanted.room) then return 403 end
  if #store.keys "job:" >= JOBS then return 429 end
  local job = { job = sluice.token(), room = wanted.room, title = title, user = req.user, name = req.data.name,
                progress = 0, seed = tonumber(sluice.token():sub(1, 8), 16) }
  store.set("job:" .. job.job, job)
  return { status = 202, json = { jobId = job.job } }
end })
