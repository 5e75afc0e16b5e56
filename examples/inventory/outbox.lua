-- examples/inventory/outbox.lua: changes go to the event server in their order, one at a time, and wait here while it
-- is away. Returns the function that makes an app's `publish(type, data, id)`.
local sluice = require "sluice"
local http   = require "sluice.http"
local log    = require "sluice.log"
local store  = require "sluice.store"

local EVENTS = sluice.env("EVENTS_URL", "http://127.0.0.1:8280")
local KEY    = sluice.env "PUBLISH_KEY"
local WAITING_MAX = 1000

-- Sends what waits, until nothing does: true; or the event server is not there, or does not know now: false.
local function send(event)
  local answer = http.try {
    method  = "POST",
    url     = EVENTS .. "/publish",
    headers = { authorization = "Bearer " .. KEY },
    json    = event,
    timeout = 2,
  }
  if not answer or answer.status == 429 or answer.status >= 500 then return false end
  if not answer:ok() then log.error("not published", { status = answer.status, why = answer.body }) end
  return true
end

local function send_waiting()
  if not store.add("sending", true, { ttl = 15 }) then return end -- somebody is at it
  local waiting = store.get "waiting" or {}
  while waiting[1] and send(waiting[1]) do
    waiting = store.get "waiting"                        -- more may have come meanwhile
    table.remove(waiting, 1)
    store.set("waiting", waiting)
  end
  store.delete "sending"
end

return function(app)
  app:every("outbox", { period = 1, run = send_waiting })
  return function(type, data, id)
    local waiting = store.get "waiting" or {}
    if #waiting == WAITING_MAX then table.remove(waiting, 1) end
    waiting[#waiting + 1] = { id = id or sluice.token(), type = type, data = data }
    store.set("waiting", waiting)
    send_waiting()
  end
end
