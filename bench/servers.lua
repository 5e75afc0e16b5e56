--- The servers under test: how each is started, and what its streams and publishes are called.
--
-- A server is a table:
--   name      as it stands in the tables
--   missing   () -> nil, or why it cannot be run here
--   command   (site) -> the words of its command; it may write its config first. `site` has
--             `port`, `admin_port`, `feed_port`, `root` and `dir`, a directory of its own
--   open_at   when a stream counts as open: "ready" (that event) or "byte" (the body's first)
--   streams   kind -> path. all: the topic of everyone; own: with a topic for each user as well;
--             linked: with an upstream link for each user; filtered: a rule is asked for each of them;
--             guarded: an audience is, once; attended: who comes and goes is known
--   posts     kind -> { path, posts, frames, header, body }: `posts` requests that bring `frames` triggers each
--   nodes     how many nodes on a Redis of their own it is; nil: it is one process, of `command`
--   command   of a node: (site, number, port, admin_port, redis_url) -> words
--   body      what is posted; %t is the send time
--   large     the same, with ten times as much of it
-- A kind that is absent is what that server cannot do.

local cluster = require "cluster"
local process = require "process"

local TEXT = "%t " .. ("0"):rep(81)                 -- 100 bytes once %t stands for "t=" and 16 digits
local JSON = '{"text":"' .. TEXT .. '"}'
local LARGE = "%t " .. ("0"):rep(981)
local LARGE_JSON = '{"text":"' .. LARGE .. '"}'
local NCHAN = "/usr/lib/nginx/modules/ngx_nchan_module.so"

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function nothing_missing() return nil end

local function bare(name, flag)
  return {
    name    = name,
    missing = nothing_missing,
    command = function(site)
      return { "build/bench/bare", "-p", site.port, "-f", "127.0.0.1:" .. site.feed_port, flag }
    end,
    open_at = "ready",
    streams = { all = "/events?user=%d", own = "/events?user=%d", linked = "/linked?user=%d" },
    posts   = {
      one     = { path = "/publish", posts = 1, frames = 1 },
      burst   = { path = "/burst?n=200", posts = 1, frames = 200 },
      private = { path = "/publish?user=%d" },
    },
    body = JSON,
  }
end

local NGINX = [[
load_module %s;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid %s/nginx.pid;
error_log stderr warn;
events { worker_connections 19900; }
http {
  access_log off;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 1g;
  nchan_message_buffer_length 256;
  nchan_message_timeout 60s;
  server {
    listen 127.0.0.1:%s backlog=4096;
    location ~ ^/sub/(.+)$ {
      nchan_subscriber eventsource;
      nchan_subscriber_first_message newest;
      nchan_channel_id $1;
    }
    location ~ ^/pub/(.+)$ {
      nchan_publisher;
      nchan_channel_id $1;
    }
  }
}
]]

local nchan = {
  name    = "nchan",
  missing = function()
    if not process.has "nginx" or not exists(NCHAN) then
      return "nginx with nchan is not installed (apt-get install nginx libnginx-mod-nchan)"
    end
  end,
  command = function(site)
    write(site.dir .. "/nginx.conf", NGINX:format(NCHAN, site.dir, site.port))
    return { "nginx", "-p", site.dir, "-c", site.dir .. "/nginx.conf", "-e", "stderr" }
  end,
  open_at = "byte",
  streams = { all = "/sub/all", own = "/sub/user%d" },
  posts   = {
    one     = { path = "/pub/all", posts = 1, frames = 1 },
    burst   = { path = "/pub/all", posts = 200, frames = 1 },
    private = { path = "/pub/user%d" },
  },
  body = TEXT,
  large = LARGE,
}

--- sluice's config: the three keys that every config has, and what the cases need beyond the defaults.
local function sluice_config(site, port, admin_port)
  return {
    { "listen",     "127.0.0.1:" .. port },
    { "admin",      "127.0.0.1:" .. admin_port },
    { "rules",      { site.root .. "/bench/rules.lua" } },
    { "log_level",  "warn" },                       -- as nchan without an access log
    { "streams",    19000 },
    { "link_rate",  1000 },
    { "link_burst", 1000 },
  }
end

local function literal(value)
  if type(value) == "number" then return tostring(value) end
  if type(value) == "string" then return ("%q"):format(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = literal(item) end
  return "{ " .. table.concat(items, ", ") .. " }"
end

local function sluice_missing()
  if not exists "build/sluice" then return "build/sluice is not built" end
end

local function sluice_command(site, name, keys)
  local lines, path = {}, ("%s/%s.conf"):format(site.dir, name)
  for i, key in ipairs(keys) do lines[i] = key[1] .. " = " .. literal(key[2]) .. "\n" end
  write(path, table.concat(lines))
  return { "env", "FEED_URL=http://127.0.0.1:" .. site.feed_port, "build/sluice", "run", "-c", path }
end

local sluice = {
  name    = "sluice",
  missing = sluice_missing,
  command = function(site) return sluice_command(site, "sluice", sluice_config(site, site.port, site.admin_port)) end,
  open_at = "ready",
  streams = { all = "/all?user=%d", own = "/events?user=%d", linked = "/linked?user=%d",
              filtered = "/filtered?user=%d", guarded = "/guarded?user=%d", attended = "/attended?user=%d" },
  posts   = {
    one      = { path = "/publish", posts = 1, frames = 1 },
    burst    = { path = "/burst", posts = 1, frames = 200 },
    private  = { path = "/private/%d" },
    filtered = { path = "/filtered", posts = 1, frames = 1 },
    guarded  = { path = "/guarded", posts = 1, frames = 1 },
    input    = { path = "/input", header = "Authorization: Bearer bench",
                 body = '{"type":"tick","data":' .. JSON .. "}" },
  },
  body = JSON,
  large = LARGE_JSON,
}

--- The same as nodes of a cluster.
local function nodes(count)
  return {
    name    = "nodes-" .. count,
    nodes   = count,
    missing = function() return sluice_missing() or cluster.missing() end,
    command = function(site, number, port, admin_port, redis_url)
      local keys = sluice_config(site, port, admin_port)
      keys[#keys + 1] = { "redis", redis_url }
      return sluice_command(site, "node" .. number, keys)
    end,
    open_at = sluice.open_at,
    streams = sluice.streams,
    posts   = sluice.posts,
    body    = sluice.body,
    large   = sluice.large,
  }
end

return { bare = bare "bare", joining = bare("joining", "-j"), nchan = nchan, sluice = sluice, payload = JSON,
         ["nodes-1"] = nodes(1), ["nodes-2"] = nodes(2), ["nodes-4"] = nodes(4) }
