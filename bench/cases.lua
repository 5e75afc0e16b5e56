--- The cases: what is measured, on whom, and how large.
--
-- A case is a table:
--   name, title  for the command line and the tables
--   unit         of its figure: "per CPU-second" of the server, "bytes", or "times the cost" (without)
--   servers      in the order in which they run; `bare` runs once more at the end where it is a floor
--   figure       the key of load's report that is the figure
--   expected     of sluice: { at_least = ratio to bare } or { at_most = bytes }
--   words        (server, size, site) -> what load is to do; nil where the server cannot
--   alone        whether `words` is a whole command that needs no server
--
-- Sizes: `streams` of the cases that count deliveries, `idle` streams, `links`, `seconds` of a window,
-- `rate` of upstream events for the latency, `sinks` in memory, `stalled` the triggers beside a stalled reader,
-- `messages` to participants.

local cases = {}

cases.sizes = {
  full  = { streams = 10000, idle = 15000, links = 1000, seconds = 3, rate = 5000, sinks = 1000000, stalled = 12000,
            messages = 200000 },
  small = { streams = 1000, idle = 2000, links = 200, seconds = 0.6, rate = 2000, sinks = 100000, stalled = 3000,
            messages = 50000 },
}

local function idle(kind)
  return function(server, size)
    local stream = server.streams[kind]
    return stream and { "idle", "--streams", size.idle, "--stream", stream }
  end
end

local function fanout(kind, stream)
  return function(server, size)
    local post = server.posts[kind]
    return post and { "fanout", "--streams", size.streams, "--stream", server.streams[stream or "all"],
                      "--post", post.path,
                      "--posts", post.posts, "--frames", post.frames, "--body", server.body,
                      "--seconds", size.seconds }
  end
end

local function private(server, size)
  local post = server.posts.private
  return post and { "private", "--streams", size.streams, "--stream", server.streams.own, "--post", post.path,
                    "--body", server.body, "--seconds", size.seconds }
end

local function connects(kind) return function(server, size)
  local stream = server.streams[kind]
  return stream and { "connects", "--stream", stream, "--users", size.streams, "--seconds", size.seconds }
end end

local function publish(server, size)
  local post = server.posts.input or server.posts.one
  local words = { "publish", "--post", post.path, "--body", post.body or server.body, "--seconds", size.seconds }
  if post.header then words[#words + 1], words[#words + 2] = "--header", post.header end
  return words
end

local MISSED = 20

local function resumes(server, size)
  return { "resumes", "--stream", server.streams.all, "--users", size.streams, "--post", server.posts.one.path,
           "--posts", MISSED, "--body", server.body }
end

local function stalled(server, size)
  return { "stalled", "--streams", 100, "--stream", server.streams.all, "--post", server.posts.one.path,
           "--posts", 16, "--body", server.large, "--seconds", 1, "--rate", size.stalled }
end

local function linked(server, size, site)
  local stream = server.streams.linked
  return stream and { "linked", "--streams", size.links, "--stream", stream, "--feed", site.feed_port,
                      "--payload", server.body, "--rate", size.rate, "--seconds", size.seconds }
end

local function sinks(deliveries, own)
  return function(_, size) return { "build/bench/sinks", size.sinks, deliveries / size.sinks, own } end
end

-- A topic for each stream, and as many publishes under way as there are connections times depth.
local function shared(depth) return function(server, size)
  return { "private", "--streams", size.links, "--stream", "/own?user=%d", "--post", server.posts.private.path,
           "--body", server.body, "--connections", depth > 1 and 8 or 4, "--depth", depth, "--seconds", size.seconds }
end end

-- Many triggers in one publish, and few streams: what a trigger costs the bus. A node has two streams at least.
local function few(server)
  local post = server.posts.burst
  return { "fanout", "--streams", 8, "--stream", server.streams.all, "--post", post.path, "--posts", post.posts,
           "--frames", post.frames, "--body", server.body, "--seconds", 2 }
end

local CLUSTER = { "sluice", "nodes-1", "nodes-2", "nodes-4" }

local function participants(_, size) return { "build/bench/sinks", 100000, size.messages, "participants" } end

cases.list = {
  { name = "idle", title = "idle subscribers of one topic", unit = "bytes", figure = "bytes_per_stream",
    servers = { "bare", "nchan", "sluice" }, expected = { at_most = 1024 }, words = idle "all" },
  { name = "idle-own", title = "idle subscribers with a topic of their own", unit = "bytes",
    figure = "bytes_per_stream", servers = { "bare", "nchan", "sluice" }, words = idle "own" },
  { name = "one-topic", title = "one topic, one trigger at a time", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "bare", "nchan", "sluice", "bare" }, expected = { at_least = 0.8 }, words = fanout "one" },
  { name = "burst", title = "one topic, bursts of 200", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "bare", "joining", "nchan", "sluice", "bare" }, expected = { at_least = 20 }, words = fanout "burst" },
  { name = "filtered", title = "one topic, a verdict for each", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "sluice" }, words = fanout("filtered", "filtered") },
  { name = "guarded", title = "one topic, an audience", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "sluice" }, words = fanout("guarded", "guarded") },
  { name = "private", title = "private topics, one subscriber each", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "bare", "joining", "nchan", "sluice", "bare" }, expected = { at_least = 0.4 }, words = private },
  { name = "connects", title = "connects", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "bare", "nchan", "sluice", "bare" }, expected = { at_least = 0.6 }, words = connects "own" },
  { name = "attended", title = "connects to a topic with presence", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "sluice" }, words = connects "attended" },
  { name = "publish", title = "publishes to nobody, pipelined", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "bare", "nchan", "sluice", "bare" }, words = publish },
  { name = "resumes", title = "all come back at once, 20 missed", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "nchan", "sluice" }, words = resumes },
  { name = "stalled", title = "a stalled reader among 100", unit = "times the cost", figure = "times_the_cost",
    servers = { "nchan", "sluice" }, words = stalled },
  { name = "linked", title = "upstream to browser", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "bare", "sluice", "bare" }, words = linked },
  { name = "cluster", title = "private topics, through Redis", unit = "per CPU-second", figure = "per_cpu_s",
    servers = CLUSTER, words = shared(16) },
  { name = "cluster-quiet", title = "private topics, through Redis, 4 under way", unit = "per CPU-second",
    figure = "per_cpu_s", servers = CLUSTER, words = shared(1) },
  { name = "cluster-topic", title = "one topic, through Redis", unit = "per CPU-second", figure = "per_cpu_s",
    servers = CLUSTER, words = fanout "one" },
  { name = "cluster-burst", title = "one topic of 8, bursts of 200, through Redis", unit = "per CPU-second",
    figure = "per_cpu_s", servers = CLUSTER, words = few },
  { name = "sinks-idle", title = "in memory, with a topic of their own", unit = "bytes",
    figure = "bytes_per_stream", servers = { "sluice" }, alone = true, words = sinks(1e6, "own") },
  { name = "sinks", title = "in memory, one topic", unit = "per CPU-second", figure = "per_cpu_s",
    servers = { "sluice" }, alone = true, words = sinks(40e6) },
  { name = "participants", title = "in memory, to 5 of 100,000", unit = "times the cost", figure = "times_the_cost",
    servers = { "sluice" }, expected = { at_most = 2 }, alone = true, words = participants },
}

--- What a case is called in tables.
function cases.title(name)
  for _, case in ipairs(cases.list) do
    if case.name == name then return case.title end
  end
end

return cases
