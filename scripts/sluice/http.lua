--- sluice.http: requests to other servers. Each call suspends the handler until the answer is there.
--
-- A server that gives no answer (refused, time-out, no such name) is an error: it raises, so that a hook that does
-- not care ends in "don't know" and never in "no". http.try returns nil, code, sentence instead.

local core = require "sluice.core"
local fail = require "sluice.fail"
local json = require "sluice.json"

local http = {}

local TIMEOUT    = core.standards.http_timeout or 5
local ANSWER_MAX = core.standards.http_answer_bytes or 4194304

local Answer = {}
Answer.__index = function(_, name)
  return Answer[name] or fail.raise("an answer has no '%s'%s", tostring(name),
    fail.hint(name, { "status", "headers", "body", "json", "expect", "ok" }))
end
Answer.__metatable = "answer"

--- The body as JSON; raises if it is none.
function Answer:json()
  local value, _, why = json.decode(self.body)
  if value == nil then fail.raise("%s: the answer is not JSON: %s", self.request, why) end
  return value
end

--- Raises unless the status is one of these; returns the answer.
function Answer:expect(...)
  for i = 1, select("#", ...) do
    if self.status == select(i, ...) then return self end
  end
  fail.raise("%s: status %d, expected %s", self.request, self.status, table.concat({ ... }, " or "))
end

--- Is the status 200 to 299?
function Answer:ok() return self.status >= 200 and self.status <= 299 end

local OPTIONS = { "method", "url", "headers", "json", "form", "body", "timeout", "max" }

local function add_header(list, name, value)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
    fail.raise("http: a header named %s", fail.show(name))
  end
  if type(value) ~= "string" and type(value) ~= "number" then
    fail.raise("http: the header '%s' is %s, expected a text", name, fail.show(value))
  end
  value = tostring(value)
  if core.breaks_line(value) then fail.raise("http: the header '%s' holds CR, LF or NUL", name) end
  list[#list + 1], list[#list + 2] = name:lower(), value
end

local function form_body(form)
  local parts = {}
  for name, value in pairs(form) do
    parts[#parts + 1] = core.percent_encode(tostring(name)) .. "=" .. core.percent_encode(tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, "&")
end

-- The body, and its type if that is not the caller's.
local function read_body(options)
  local given = 0
  for _, name in ipairs { "json", "form", "body" } do
    if options[name] ~= nil then given = given + 1 end
  end
  if given > 1 then fail.raise "http: one of json, form and body, not several" end
  if options.json ~= nil then return json.encode(options.json), "application/json" end
  if options.form ~= nil then return form_body(options.form), "application/x-www-form-urlencoded" end
  return tostring(options.body or "")
end

local function read_headers(options, content_type)
  local list, has_type = {}, false
  for name, value in pairs(options.headers or {}) do
    add_header(list, name, value)
    has_type = has_type or list[#list - 1] == "content-type"
  end
  if content_type and not has_type then add_header(list, "content-type", content_type) end
  if #list > 128 then fail.raise "http: more than 64 headers" end
  return list
end

local function check_options(options)
  for name in pairs(options) do
    local known = false
    for _, option in ipairs(OPTIONS) do known = known or name == option end
    if not known then fail.raise("http: unknown option '%s'%s", tostring(name), fail.hint(name, OPTIONS)) end
  end
  if type(options.url) ~= "string" then fail.raise("http: the url is %s, expected a text", fail.show(options.url)) end
  if options.url:find "[%c ]" then fail.raise("http: a url with a blank or control character; http.url encodes") end
  local timeout = options.timeout
  if timeout ~= nil and (type(timeout) ~= "number" or not (timeout > 0 and timeout <= 300)) then
    fail.raise("http: timeout must be seconds above 0, up to 300, got %s", fail.show(timeout))
  end
end

local function collect(name, status, headers, body)
  if not status then return nil, headers, body end
  return setmetatable({ status = status, headers = headers, body = body, request = name }, Answer)
end

--- Sends a request and waits for its answer.
-- @param options { method = "GET", url =, headers = {}, json = | form = | body =, timeout = 5, max = 4194304 }
-- @return { status, headers, body } with :json(), :expect(...), :ok(); or nil, code, sentence
function http.try(options)
  if type(options) ~= "table" then fail.raise("http: expected a table of options, got %s", fail.show(options)) end
  check_options(options)
  local method             = options.method or "GET"
  local body, content_type = read_body(options)
  local headers            = read_headers(options, content_type)
  local name               = method .. " " .. options.url:gsub("%?.*", "")
  core.fetch(method, options.url, headers, body, options.timeout or TIMEOUT, options.max or ANSWER_MAX)
  return collect(name, core.collect())
end

--- The same; raises if no answer came.
function http.request(options)
  local answer, code, sentence = http.try(options)
  if not answer then fail.raise("%s %s: %s: %s", options.method or "GET", options.url, code, sentence) end
  return answer
end

local function shorthand(method)
  return function(url, options)
    local all = { method = method, url = url }
    for name, value in pairs(options or {}) do
      if name == "method" or name == "url" then fail.raise("http: '%s' stands outside the options here", name) end
      all[name] = value
    end
    return http.request(all)
  end
end

--- http.get(url, options), and so on: raise if no answer came.
http.get    = shorthand "GET"
http.post   = shorthand "POST"
http.put    = shorthand "PUT"
http.patch  = shorthand "PATCH"
http.delete = shorthand "DELETE"

--- Fills a template: every {name} with that parameter, percent-encoded; what is left over becomes the query.
-- `http.url("http://host/users/{user}", { user = "a/b", page = 2 })` is "http://host/users/a%2Fb?page=2".
function http.url(template, params)
  local used = {}
  local url = template:gsub("{([%w_]+)}", function(name)
    local value = (params or {})[name]
    if value == nil then fail.raise("http.url: {%s} has no value", name) end
    used[name] = true
    return core.percent_encode(tostring(value))
  end)
  if (url:gsub("[?#].*", "") .. "/"):find "/%.%.?/" then
    fail.raise("http.url: a part of the path is '.' or '..', which leads to another one: %s", fail.show(url))
  end
  local rest = {}
  for name, value in pairs(params or {}) do
    if not used[name] then rest[name] = value end
  end
  if not next(rest) then return url end
  return url .. (url:find("?", 1, true) and "&" or "?") .. form_body(rest)
end

return fail.strict("sluice.http", http)
