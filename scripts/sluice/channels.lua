--- The channels page of an app: what its streams bring and who may have them, for those who write its pages and its
-- publishers. In Markdown, from what the rule file declared, in the order in which that stands there.

local markdown = require "sluice.markdown"
local owner    = require "sluice.owner"

local cell, code, line, prose = markdown.cell, markdown.code, markdown.line, markdown.prose

local channels = {}

-- Places are "rules/board.lua:12": by line, then by name, since a loop may declare several in one.
local function sorted(list, kind, name_of)
  local found = {}
  for i, item in ipairs(list) do
    if item.kind == kind then
      local file, at = item.place:match "^(.*):(%d+)$"
      found[#found + 1] = { item = item, file = file or "", at = tonumber(at) or 0, name = name_of(item), i = i }
    end
  end
  table.sort(found, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.at ~= b.at then return a.at < b.at end
    if a.name ~= b.name then return a.name < b.name end
    return a.i < b.i
  end)
  for i, entry in ipairs(found) do found[i] = entry.item end
  return found
end

local function sorted_names(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Words

local function seconds(value) return ("%.15g s"):format(value) end

local function count(value, noun)
  return ("%d %s%s"):format(value, noun, value == 1 and "" or "s")
end

local function bytes(value)
  for _, unit in ipairs { { "MiB", 1048576 }, { "KiB", 1024 } } do
    if value % unit[2] == 0 then return ("%d %s"):format(value / unit[2], unit[1]) end
  end
  return ("%d bytes"):format(value)
end

local function list_of(words, how)
  local shown = {}
  for i, word in ipairs(words) do shown[i] = how(word) end
  return table.concat(shown, ", ")
end

-- Who an `identity` option lets in.
local function who(identity)
  if not identity then return "everybody" end
  local role = type(identity) == "table" and rawget(identity, "role")
  local known = "whom the app knows (else 401) and lets in (else 403)"
  return role and ("%s: with the role %s, or a higher one"):format(known, cell(role)) or known
end

-- Writing

local Page = {}
Page.__index = Page

function Page:add(format, ...)
  self[#self + 1] = select("#", ...) > 0 and format:format(...) or format
end

-- A block, with an empty line behind it.
function Page:block(text)
  if text == nil or text == "" then return end
  self:add("%s", text)
  self:add ""
end

function Page:heading(depth, text) self:block(("#"):rep(depth) .. " " .. text) end

-- Rows { name, text }; of those without a text nothing is said.
function Page:facts(rows)
  self:add "| | |"
  self:add "|---|---|"
  for i = 1, #rows do
    local name, text = rows[i][1], rows[i][2]
    if text then self:add("| %s | %s |", name, text) end
  end
  self:add ""
end

-- Streams

-- Query parameters that mean one thing: `?topic=NAME`, or another of the same.
local function asked_by(names, value)
  local shown = {}
  for i, name in ipairs(names) do shown[i] = code("?" .. name .. "=" .. value) end
  return table.concat(shown, " or ")
end

local function topics_of(stream, is_asked)
  local ways, names = {}, stream.options.query.topic
  if stream.options.topics then ways[#ways + 1] = "those that the rules give it" end
  if is_asked and #names > 0 then
    ways[#ways + 1] = ("those that it asks for by %s (once for each) and may have: if not all, it is refused"):format(
      asked_by(names, "NAME"))
  end
  if #ways == 0 then return "none, until the rules give it one" end
  return ("%s; %s at most"):format(table.concat(ways, ", and "), count(stream.options.topics_max, "topic"))
end

local function heartbeat_of(beat)
  if beat.every == 0 then return "none" end
  local after = beat.event and beat.always and "every %s, whatever else flows" or "after a silence of %s"
  after = after:format(seconds(beat.every))
  if not beat.event then return "nothing that a page sees, " .. after end
  return ("the event %s with the data %s, %s"):format(cell(beat.event), cell(beat.data), after)
end

local FIRST = {
  event  = '`ready`: `{"resumed":…,"missed":…,"tag":…}`',
  header = "none; the answer's `Last-Event-ID` says where it begins: at the client's own, or at `earliest` if it "
    .. "has to re-read",
}

local ECHO = {
  server = "not sent to the tab whose `X-Session-Tag` is the trigger's",
  client = "sent with `session_tag` in the JSON, for the client to skip",
  none   = "sent like any other trigger",
}

local REFUSAL = {
  status = "by its status",
  retry  = "by 200, a `retry:` and the end, where a later attempt may be let in; else by its status",
}

local function limits_of(stream)
  local options, parts = stream.options, {}
  if options.per_user > 0 then parts[#parts + 1] = count(options.per_user, "stream") .. " of one user" end
  if options.per_address > 0 then parts[#parts + 1] = count(options.per_address, "stream") .. " of one address" end
  local rate = stream.rate
  if rate.rate > 0 then
    parts[#parts + 1] = ("%d begun in %s, by one %s"):format(rate.rate, seconds(rate.rate_seconds), rate.rate_per)
  end
  if options.lifetime > 0 then parts[#parts + 1] = "ends after " .. seconds(options.lifetime) .. " at the latest" end
  parts[#parts + 1] = ("%s or %s may wait for a slow client, who else gets a `resync`"):format(
    count(options.queue.frames, "trigger"), bytes(options.queue.bytes))
  return table.concat(parts, "; ")
end

local function return_of(options)
  local names = options.query.last_event_id
  local back  = ("with the last `id:` as `Last-Event-ID`%s; up to %s are sent again, more are one `resync`"):format(
    #names > 0 and " or " .. asked_by(names, "ID") or "", count(options.replay, "trigger"))
  if options.retry > 0 then back = ("after %s, %s"):format(seconds(options.retry), back) end
  if options.earliest then back = back .. "; the id `earliest` asks for all that there is" end
  return back
end

local function write_stream(page, stream, is_asked)
  local options = stream.options
  page:heading(3, code("GET " .. (options.path or "/")))
  page:block(options.about and prose(options.about))
  page:facts {
    { "who may connect", who(options.identity) },
    { "topics", topics_of(stream, is_asked) },
    { "first event", FIRST[options.ready] },
    { "heartbeat", heartbeat_of(stream.heartbeat) },
    { "comes back", return_of(options) },
    { "refuses", REFUSAL[options.refusal] },
    { "own echo", ECHO[options.suppress] },
    { "limits", limits_of(stream) },
    { "from other sites", #options.origins > 0 and list_of(options.origins, cell) },
  }
end

-- Topics

local EVENT = {
  type  = "the trigger's type",
  topic = "the topic's name",
  none  = "none: browsers call it `message`",
}

local function askers(subscribe)
  local param = owner.param(subscribe)
  if param then return ("only the user whom %s names"):format(cell("{" .. param .. "}")) end
  if type(subscribe) == "function" then return "whom the rules let in" end
  return "nobody: the rules give it"
end

local function getters(options)
  if not options.audience then
    return options.filter and "those of its subscribers whom the rules let see it, asked for each"
      or "every subscriber"
  end
  local text = "those of its subscribers whom the rules let see it, which may be known for " ..
    seconds(options.audience.ttl)
  return options.filter and text .. ", and each is asked for besides" or text
end

local function presence_of(presence)
  local text = ("users are counted as there until %s after their last stream"):format(seconds(presence.grace))
  return presence.beat and ("%s, and only while their page says so, every %s"):format(text, seconds(presence.beat))
    or text
end

local function history_of(topic)
  local history = topic.options.history
  if not topic.history then return "nothing: who was away gets a `resync`" end
  return ("the last %s, for %s"):format(count(history.size, "trigger"), seconds(history.ttl))
end

local function retained(retain)
  if not retain then return nil end
  return "get its last trigger" .. (retain.ttl > 0 and (", if it is not older than " .. seconds(retain.ttl)) or "")
end

local function limit_of(limit)
  return limit and ("%d a second, %d at once; what is above is not sent"):format(limit.rate, limit.burst or limit.rate)
end

local function write_type(page, one)
  page:heading(4, code(one.name))
  page:block(one.about and prose(one.about))
  page:block(one.data and "Data: " .. prose(one.data))
  if not one.fields or #one.fields == 0 then return end
  page:add "| field | |"
  page:add "|---|---|"
  for _, field in ipairs(one.fields) do page:add("| %s | %s |", cell(field.name), line(field.about)) end
  page:add ""
end

local function write_topic(page, topic)
  local options = topic.options
  page:heading(3, code(topic.pattern))
  page:block(options.about and prose(options.about))
  page:facts {
    { "`event:`", EVENT[options.event] },
    { "`id:`", options.id == "publisher" and "the publisher's" },
    { "who may ask for it", askers(options.subscribe) },
    { "who gets a trigger", getters(options) },
    { "kept", history_of(topic) },
    { "newcomers", options.snapshot and "get its state as it stands" or retained(options.retain) },
    { "presence", topic.presence and presence_of(options.presence) },
    { "limit", limit_of(options.limit) },
  }
  if not topic.types then return page:block "The types of its triggers are not listed." end
  for _, one in ipairs(topic.types) do write_type(page, one) end
end

-- Ingests and routes

local function publishers(authorize)
  if not authorize then return "everybody" end
  if type(authorize) == "table" and rawget(authorize, "is_bearer") then
    return "whoever has the key: `Authorization: Bearer KEY`"
  end
  return "whom the rules let in (else 401)"
end

local function spoken_for(options)
  local authorize = options.authorize
  if not authorize then return "nobody's" end
  if options.users == "any" or (type(authorize) == "table" and rawget(authorize, "is_bearer")) then
    return "whose the `user` field says"
  end
  return "the publisher's own; an app's, whose the `user` field says"
end

local function handled(ingest)
  local names = sorted_names(ingest.handlers)
  local text  = list_of(names, function(name) return name == "*" and "any other" or cell(name) end)
  if ingest.handlers["*"] then return text end
  return text .. (ingest.options.unknown == "ignore" and "; others are passed over" or "; others are an error (422)")
end

local function again(idempotency)
  if idempotency.size == 0 then return nil end
  return ("by the same `id`: done once, and answered as the first time, for %s"):format(seconds(idempotency.ttl))
end

local function write_ingest(page, ingest)
  local options = ingest.options
  page:heading(3, code("POST " .. (options.path or "/")))
  page:block(options.about and prose(options.about))
  page:facts {
    { "who may publish", publishers(options.authorize) },
    { "whose events", spoken_for(options) },
    { "event types", handled(ingest) },
    { "one request", ("up to %s; all are published or none"):format(count(options.batch_max, "event")) },
    { "published twice", again(options.idempotency) },
    { "limit", ingest.rate.rate > 0 and ("%s in %s, of one publisher"):format(count(ingest.rate.rate, "event"),
      seconds(ingest.rate.seconds)) },
    { "from other sites", #options.origins > 0 and list_of(options.origins, cell) },
  }
end

local function write_routes(page, routes)
  if #routes == 0 then return end
  page:heading(2, "Routes")
  page:add "| | | who may |"
  page:add "|---|---|---|"
  for _, route in ipairs(routes) do
    page:add("| %s | %s | %s |", cell(route.method .. " " .. route.path),
      route.options.about and line(route.options.about) or "", who(route.options.identity))
  end
  page:add ""
end

-- The page

local function write_all(page, heading, items, write, ...)
  if #items == 0 then return end
  page:heading(2, heading)
  for _, item in ipairs(items) do write(page, item, ...) end
end

local RESYNC = [[
A stream may bring, besides its topics' triggers, `resync` with `{"reason":…,"missed":…,"topics":[…]}`: something of
these topics (of all, if none is named) did not arrive, so what a page shows of them is to be read again.]]

local function any_asked(topics)
  for _, topic in ipairs(topics) do
    if type(topic.options.subscribe) == "function" then return true end
  end
  return false
end

--- The page of what was declared, a list as sluice.described keeps it.
function channels.page(list)
  local page    = setmetatable({}, Page)
  local app     = sorted(list, "app", function(item) return item.name end)[1]
  local topics  = sorted(list, "topic", function(item) return item.pattern end)
  local streams = sorted(list, "stream", function(item) return item.name end)
  page:heading(1, code(app.name) .. ": channels")
  page:block "Written by `sluice docs` from the rule file."
  write_all(page, "Streams", streams, write_stream, any_asked(topics))
  page:block(#streams > 0 and RESYNC or nil)
  write_all(page, "Topics", topics, write_topic)
  write_all(page, "Ingests", sorted(list, "ingest", function(item) return item.name end), write_ingest)
  write_routes(page, sorted(list, "route", function(item) return item.name end))
  return (table.concat(page, "\n"):gsub("\n+$", "") .. "\n")
end

return channels
