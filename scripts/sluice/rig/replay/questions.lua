--- What rules ask over HTTP in a replay: methods of the play in sluice.rig.replay.

local changes = require "sluice.rig.changes"
local network = require "sluice.rig.network"

local Questions = {}

local function target_of(url) return url:match "^%w[%w+.-]*://[^/?#]*(.*)$" or url end

local function origin_of(url) return url:match "^(%w[%w+.-]*://[^/?#]*)" or "" end

local function headers_of(list)
  local headers = {}
  for _, header in ipairs(list or {}) do headers[header[1]:lower()] = header[2] end
  return headers
end

local function same_headers(a, b)
  for name, value in pairs(a) do
    if b[name] ~= value then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

-- Method, target and body (JSON in any spelling) must be the recorded ones; of several, the first whose headers and
-- origin are, too: two users' requests differ by a header, and the app's address may be another one today. `again`:
-- also one that was taken, but none with other headers.
function Questions:find_question(request, again)
  local best, best_score
  local body = changes.meaning(request.body)
  for _, question in ipairs(self.questions[request.method .. " " .. target_of(request.url)] or {}) do
    local same = same_headers(question.by_name, request.headers)
    if question.meaning == body and (same or not again) and (again or not question.taken) then
      local score = (same and 2 or 0)
        + (origin_of(question.url) == origin_of(request.url) and 1 or 0)
      if not best or score > best_score then best, best_score = question, score end
    end
  end
  return best
end

function Questions:answer(call, reply)
  self.core:answer(call.number, { status = reply.status, headers = reply.headers, body = reply.body,
    code = reply.code, sentence = reply.sentence })
end

function Questions:ask(call)
  local request = network.describe(call)
  self.requests[#self.requests + 1] = request
  if self.opening then return self:answer_before(call, request) end
  local question = self:find_question(request)
  if not question then
    self:note("asked, but not in the recording: %s %s", request.method, request.url)
    self.core:answer(call.number, { code = "network", sentence = "the recording does not have this request" })
    return true
  end
  question.taken = true
  local reply = question.reply
  if not reply or reply.what ~= "fetched" then return false end -- nobody heard of an answer then, either
  if reply.body_size then
    self:note("an answer whose body is not in the recording: %s %s", request.method, request.url)
  end
  self:later(self:now() + reply.t - question.t, reply.index, function() self:answer(call, reply) end)
  return false
end

-- ---- reading it in ----

Questions.readers = {}

function Questions.readers.fetch(self, entry)
  local name = entry.method .. " " .. target_of(entry.url)
  entry.meaning, entry.by_name = changes.meaning(entry.body), headers_of(entry.headers)
  self.questions[name] = self.questions[name] or {}
  table.insert(self.questions[name], entry)
  self.asked[entry.id] = entry
end

function Questions.readers.fetched(self, entry)
  if self.asked[entry.id] then self.asked[entry.id].reply = entry end
end
Questions.readers.dropped = Questions.readers.fetched

return Questions
