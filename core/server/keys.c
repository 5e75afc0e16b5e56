#include "server/keys.h"

#include <string.h>

#include "server/config.h"

#define AT(member) offsetof(struct config, member)
#define GIB (1024.0 * 1024 * 1024)

const struct key keys[] = {
    {"listen", KEY_ADDRESSES, AT(listen), "\"127.0.0.1:8080\"", 0, 0, {0},
     "Where browsers and apps connect: \"address:port\", \"[ipv6]:port\", \"*:port\", "
     "\"unix:/path\", \"systemd\" or \"systemd:name\" (sockets of a socket unit, by FileDescriptorName), "
     "or a list of these.",
     "Put a TLS proxy in front, or listen on a Unix socket behind it. Port 0 takes a free port and "
     "logs which."},
    {"listen_trusted", KEY_ADDRESSES, AT(listen_trusted), "{}", 0, 0, {0},
     "Listeners like listen whose requests rules see as trusted (req.trusted): a router in front has "
     "said who it is.",
     "A Unix socket that only the router may open. Whoever reaches it is whom the rules take from "
     "its headers."},
    {"workers", KEY_PROCESSES, AT(workers), "1", 1, 64, {0},
     "Processes that serve the listeners together, each a node of its own; more than 1 need redis, and are "
     "kept by a small master process.",
     "One uses one core: as many as there are cores that Redis, the proxy and the app leave. Limits, rates and "
     "descriptors are each worker's, and so is the admin listener: that of the second is at the next port, or "
     "at the path with .1 behind it."},
    {"trusted_proxies", KEY_LIST, AT(trusted_proxies), "{}", 0, 0, {0},
     "Proxies whose word about a client's address, and whether it came over TLS, is taken: addresses, networks such as "
     "\"10.0.0.0/8\", \"unix\" for peers on Unix sockets.",
     "Without, everybody behind a proxy has the proxy's address, and the limits per address are one "
     "limit for all. Name the proxies only: who is named here can say that it is anybody."},
    {"proxy_header", KEY_CHOICE, AT(proxy_header), "\"x-forwarded-for\"", 0, 0,
     {"x-forwarded-for", "forwarded", 0},
     "The header in which trusted_proxies say it; the other one is not looked at. With x-forwarded-for, "
     "x-forwarded-proto says whether the client came over TLS.",
     "The one that your proxies write themselves: the other comes from the client as it is."},
    {"admin", KEY_ADDRESSES, AT(admin), "\"127.0.0.1:8081\"", 0, 0, {0},
     "Where /health, /ready, /metrics and /explain are served; same form as listen.",
     "Only loopback and Unix sockets are taken without an admin_key: who reaches it sees user "
     "names."},
    {"admin_key", KEY_TEXT, AT(admin_key), NULL, 0, 0, {0},
     "A secret that admin requests must carry as \"Authorization: Bearer KEY\".",
     "Needed as soon as admin listens beyond loopback. Take it from env(), not from the file."},
    {"rules", KEY_LIST, AT(rules), NULL, 0, 0, {0},
     "The rule files, one app each: paths or globs, relative to this file.",
     "A glob that matches nothing is an error, so that a typing mistake is not an empty server."},
    {"scripts", KEY_TEXT, AT(scripts), NULL, 0, 0, {0},
     "The folder of the Lua library that rule files are written against.",
     "Found beside the binary or under its prefix; set it only to try another version."},
    {"log_level", KEY_CHOICE, AT(log_level), "\"info\"", 0, 0, {"error", "warn", "info", "debug", 0},
     "The least important lines that are logged.",
     "debug logs every state change of every link: for a test, not for a day."},
    {"log_format", KEY_CHOICE, AT(log_format), "\"pairs\"", 0, 0, {"pairs", "json", 0},
     "How a log line looks: key=value pairs or one JSON object; to stderr.",
     "json for log collectors, pairs for people."},
    {"log_file", KEY_TEXT, AT(log_file), NULL, 0, 0, {0},
     "The file to which log lines are appended, relative to this file; without it, stderr.",
     "Under a service manager stderr is right. A file is opened again at USR1 and HUP: logrotate "
     "renames it and sends one of them, and no line is lost."},
    {"record_secrets", KEY_LIST, AT(record_secrets),
     "{ \"token\", \"access_token\", \"refresh_token\", \"id_token\", \"csrf_token\", "
     "\"x-csrf-token\", \"x-auth-token\", \"api_key\", \"x-api-key\", \"password\", \"secret\", "
     "\"client_secret\", \"session\", \"session_id\", \"jwt\" }", 0, 0, {0},
     "Names whose values `sluice record` hides: of headers, query and form fields, JSON members; "
     "without regard to case, '-' and '_'.",
     "Add what your app calls its credentials: a list takes the place of the default. "
     "authorization, cookie and set-cookie are hidden whatever stands here."},

    {"streams", KEY_COUNT, AT(streams), "10000", 1, 10e6, {0},
     "Streams that this node takes; above, a new one is refused as the stream says.",
     "Each is a descriptor: keep it below the hard limit (`ulimit -Hn`) with some hundreds to "
     "spare. Routes go on being served."},
    {"streams_per_user", KEY_COUNT, AT(streams_per_user), "0", 0, 1e6, {0},
     "Streams of one user; 0 sets no bound of its own.",
     "A browser opens one a tab (over HTTP/1.1 six in all): below 20 real people notice."},
    {"streams_per_address", KEY_COUNT, AT(streams_per_address), "0", 0, 1e6, {0},
     "Streams of one client address (of an IPv6 address: of its /64); 0 sets no bound.",
     "Behind a proxy set trusted_proxies first, or all are one address. Whole offices and mobile "
     "networks are one, too: hundreds."},
    {"connect_rate", KEY_COUNT, AT(connect_rate), "10000", 0, 1e6, {0},
     "Streams begun a second on this node; above, they are refused as the stream says. 0 sets no "
     "bound.",
     "As many as identities can be asked a second: after a restart everybody comes at once."},
    {"connect_burst", KEY_COUNT, AT(connect_burst), "20000", 1, 1e6, {0},
     "Streams begun at once before connect_rate holds.", "Rarely changed."},
    {"connect_rate_per_address", KEY_COUNT, AT(connect_rate_per_address), "0", 0, 1e6, {0},
     "Streams begun a second by one client address; above, 429 or as the stream says. 0 sets no "
     "bound.",
     "Same trap as streams_per_address."},
    {"connect_burst_per_address", KEY_COUNT, AT(connect_burst_per_address), "100", 1, 1e6, {0},
     "Streams begun at once by one address before connect_rate_per_address holds.",
     "At least the tabs that come back together after a restart."},
    {"route_rate_per_address", KEY_COUNT, AT(route_rate_per_address), "0", 0, 1e6, {0},
     "Requests a second of one client address to the apps' routes; above: 429 with Retry-After. 0 "
     "sets no bound. A route's own rate holds as well.",
     "Same trap as streams_per_address."},
    {"route_burst_per_address", KEY_COUNT, AT(route_burst_per_address), "100", 1, 1e6, {0},
     "Requests at once of one address before route_rate_per_address holds.", "Rarely changed."},
    {"publish_rate", KEY_COUNT, AT(publish_rate), "0", 0, 1e6, {0},
     "Events a second of one publisher of an ingest; above: 429 with Retry-After. 0 sets no bound (how many "
     "publishes wait is bounded anyhow). An ingest's own rate holds as well.",
     "All that have a key of sluice.bearer are one publisher; who is let in by an identity is one by itself."},
    {"publish_burst", KEY_COUNT, AT(publish_burst), "1000", 1, 1e6, {0},
     "Events at once of one publisher before publish_rate holds.",
     "At least the events of one request (an ingest's batch_max): a list with more waits until nothing is "
     "owed."},
    {"rate_keys", KEY_COUNT, AT(rate_keys), "65536", 1, 10e6, {0},
     "Addresses, users, publishers and rules' own keys at once whose rates are remembered; a rate that is all "
     "there again needs no memory.",
     "Each costs some 150 bytes. Above, who was seen longest ago begins anew."},
    {"connections_per_address", KEY_COUNT, AT(connections_per_address), "0", 0, 1e6, {0},
     "Open connections of one peer (of an IPv6 address: of its /64) on all listeners; above, 503 and "
     "closed. 0 sets no bound. trusted_proxies and Unix sockets are not counted.",
     "A browser has six over HTTP/1.1; whole offices are one address."},
    {"connections", KEY_COUNT, AT(connections), "20000", 1, 10e6, {0},
     "Open connections on all listeners, streams among them.",
     "Above, new ones wait in the kernel's backlog."},
    {"links", KEY_COUNT, AT(links), "10000", 1, 10e6, {0},
     "Upstream connections at once, one a key; above, streams that need one more are refused.",
     "As many as users at once, for an upstream with one key a user."},
    {"link_rate", KEY_COUNT, AT(link_rate), "200", 1, 1e6, {0},
     "Links opened a second, when many want to.",
     "What the upstream can authenticate a second: after its restart all links come back at this "
     "rate."},
    {"link_burst", KEY_COUNT, AT(link_burst), "200", 1, 1e6, {0},
     "Links opened at once before link_rate holds.", "Rarely changed."},
    {"topics", KEY_COUNT, AT(topics), "1000000", 1, 100e6, {0},
     "Topics of one app at once: those with subscribers or history.",
     "Above, a trigger to a new topic is dropped with an error in the log."},
    {"forgotten_topics", KEY_COUNT, AT(forgotten_topics), "65536", 0, 100e6, {0},
     "Last positions kept of topics that ended, so that a returning tab knows that it missed "
     "nothing.",
     "Too few only costs needless resyncs, never a lost trigger."},
    {"windows", KEY_COUNT, AT(windows), "100000", 0, 100e6, {0},
     "Coalescing windows (`within`) open at once.",
     "Above, triggers go out at once instead of waiting."},
    {"audience_permits", KEY_COUNT, AT(audience_permits), "100000", 0, 100e6, {0},
     "Answers of one app's topic audiences that are kept, one for each user, topic and key.",
     "Each costs some 120 bytes. Above, the oldest are forgotten, and asked again."},
    {"store_entries", KEY_COUNT, AT(store_entries), "100000", 0, 100e6, {0},
     "Entries of one app's sluice.store.", "Above, set() says that the store is full."},
    {"store_bytes", KEY_BYTES, AT(store_bytes), "67108864", 0, 64 * GIB, {0},
     "Bytes of one app's sluice.store, keys and values.",
     "Above, set() says that the store is full."},
    {"presence_entries", KEY_COUNT, AT(presence_entries), "100000", 0, 100e6, {0},
     "Users that are on topics with `presence`, of one app: one entry for each user on each topic.",
     "Each costs some 130 bytes. Above, a newcomer is not counted, with a warning in the log, until "
     "its next tab comes when there is room."},
    {"explain_triggers", KEY_COUNT, AT(explain_triggers), "1024", 0, 1e6, {0},
     "Triggers of one app, and as many calls of its handlers, that `sluice explain` knows of; 0 "
     "keeps nothing.",
     "Each costs some 700 bytes. More reach further back."},
    {"explain_decisions", KEY_COUNT, AT(explain_decisions), "16384", 0, 1e6, {0},
     "Refusals of one app that `sluice explain` knows of: who did not get a trigger, and why.",
     "Each costs 16 bytes. A filter that refuses a topic's thousands of subscribers uses up as many "
     "a trigger; what is older is then said to be unknown."},

    {"head_bytes", KEY_BYTES, AT(head_bytes), "16384", 1024, 1e6, {0},
     "The largest request line and headers; above: 431.",
     "Raise it for very large cookies."},
    {"body_bytes", KEY_BYTES, AT(body_bytes), "1048576", 0, GIB, {0},
     "The largest request body; above: 413.", "It is held in memory whole."},
    {"head_timeout", KEY_SECONDS, AT(head_timeout_ms), "10", 0.1, 3600, {0},
     "Seconds for a request's head to arrive; longer: 408.", "A bound on slow senders."},
    {"body_timeout", KEY_SECONDS, AT(body_timeout_ms), "30", 0.1, 3600, {0},
     "Seconds for a request's body to arrive; longer: 408.", "A bound on slow senders."},
    {"keepalive_timeout", KEY_SECONDS, AT(keepalive_timeout_ms), "60", 0.1, 86400, {0},
     "Seconds that an idle connection is kept for its next request.",
     "Behind a proxy: longer than the proxy's own, or it will now and then write into a closed "
     "connection."},

    {"heartbeat", KEY_SECONDS, AT(heartbeat_ms), "20", 0, 3600, {0},
     "Seconds of silence after which a stream gets a heartbeat; 0 sends none. A stream's own "
     "option wins.",
     "Below the idle time-out of every proxy on the way (60 s is usual)."},
    {"retry", KEY_SECONDS, AT(retry_ms), "2", 0, 3600, {0},
     "The `retry:` that a stream begins with: seconds that a browser waits before it returns; 0 "
     "says none. A stream's own option wins.",
     "Longer spreads a restart's returning crowd."},
    {"stall_timeout", KEY_SECONDS, AT(stall_timeout_ms), "30", 1, 3600, {0},
     "Seconds that a stream may take nothing while something waits for it; then it is closed. A "
     "stream's own option wins. So long the kernel waits for an acknowledgement, too, whatever a "
     "stream says: a client that vanished is found within a heartbeat and this.",
     "Longer keeps sleeping phones, at the price of their queues."},
    {"verdict_timeout", KEY_SECONDS, AT(verdict_timeout_ms), "2", 0.05, 60, {0},
     "Seconds that an open access question holds a subscriber's queue; then the trigger is "
     "withheld and the user told to re-read. A stream's own option wins.",
     "A little above what the slowest filter takes."},
    {"queue_frames", KEY_COUNT, AT(queue_frames), "256", 2, 1e6, {0},
     "Triggers that wait for one slow subscriber; above, it gets one resync instead. A stream's "
     "own option wins.",
     "At least the largest burst of one moment."},
    {"queue_bytes", KEY_BYTES, AT(queue_bytes), "1048576", 1024, GIB, {0},
     "Bytes that wait for one slow subscriber; same answer. A stream's own option wins.",
     "The bound that counts for memory."},
    {"replay_max", KEY_COUNT, AT(replay_max), "300", 0, 1e6, {0},
     "Missed triggers that a returning tab is given one by one; more: one resync. A stream's own "
     "option wins.",
     "Above some hundreds, re-reading is cheaper for the page as well. Keep it at or above "
     "queue_frames' order of size."},

    {"app_memory", KEY_BYTES, AT(app_memory_bytes), "134217728", 1 << 20, 64 * GIB, {0},
     "Memory of one app's Lua.", "A rule that wants more fails; the others go on."},
    {"handler_deadline", KEY_SECONDS, AT(handler_deadline_ms), "10", 0.05, 3600, {0},
     "Seconds that a rule may wait (for HTTP, for sleep) before it is ended as failed.",
     "Above the slowest answer that is still worth having."},
    {"handler_slice", KEY_SECONDS, AT(handler_slice_ms), "0.1", 0.01, 60, {0},
     "Seconds of processor time that a rule may run without waiting.",
     "A rule that loops for ever is stopped after it; everybody else waits so long."},
    {"reload_deadline", KEY_SECONDS, AT(reload_deadline_ms), "30", 0.1, 3600, {0},
     "Seconds after a reload in which what the earlier rules began may end in them; then it is ended "
     "as failed, and their memory is free.",
     "Above handler_deadline; longer only where arrivals ask many slow questions one after the "
     "other."},
    {"quarantine_after", KEY_COUNT, AT(quarantine_after), "5", 0, 1e6, {0},
     "A rule that was stopped by handler_slice or app_memory so many times with no good end in "
     "between is not run any more until the next reload; 0: it always is.",
     "Its calls are answered at once as if it had failed. Without this bound it holds everybody up "
     "for a slice at each call."},
    {"http_timeout", KEY_SECONDS, AT(http_timeout_ms), "5", 0.05, 600, {0},
     "Seconds for a sluice.http request that names no time-out.",
     "Keep it below handler_deadline, or the rule ends before the request does."},
    {"http_answer_bytes", KEY_BYTES, AT(http_answer_bytes), "4194304", 1024, GIB, {0},
     "The largest answer of a sluice.http request.", "It counts into app_memory."},

    {"redis", KEY_SERVERS, AT(redis), "{}", 0, 0, {0},
     "The Redis servers that nodes share: \"redis://host:6379/0\", \"unix:///path\", "
     "\"redis-sentinel://host:26379,host:26379/0#master\", each with \"user:password@\" or \":password@\" "
     "before the host or path where it is needed; or a list of these. Without any, a node is alone.",
     "All nodes name the same servers alike: topics are spread over them by what they are called. The first one is that "
     "of rules that name none. No Redis Cluster, no TLS; sentinels are asked without a password. Take passwords from "
     "env()."},
    {"redis_prefix", KEY_NAME, AT(redis_prefix), "\"sluice\"", 0, 0, {0},
     "What the names of all keys and channels in Redis begin with.",
     "Nodes with the same one are one cluster: staging and production on one server need two."},
    {"redis_connect_timeout", KEY_SECONDS, AT(redis_connect_timeout_ms), "3", 0.05, 60, {0},
     "Seconds that a connection to a Redis server, or to a sentinel, has until it can be used.", "Rarely changed."},
    {"redis_timeout", KEY_SECONDS, AT(redis_timeout_ms), "2", 0.05, 5, {0},
     "Seconds that a Redis server has to answer a command; else it is given up, with all that waits, and "
     "connected anew.",
     "Longer than its longest pause: a fork for a snapshot, a slow script of others."},

    {"drain_timeout", KEY_SECONDS, AT(drain_timeout_ms), "10", 0.1, 3600, {0},
     "Seconds that TERM gives what is under way before the process ends; a second TERM ends it at "
     "once.",
     "Below what the service manager waits before it kills."},
    {"drain_spread", KEY_SECONDS, AT(drain_spread_ms), "5", 0, 3600, {0},
     "Seconds over which browsers are told to come back after a drain.",
     "Longer for more streams: streams divided by the connects a second that the next node takes."},
};

const size_t key_count = sizeof(keys) / sizeof(keys[0]);

const struct key *key_find(const char *name)
{
    for (size_t i = 0; i < key_count; i++)
        if (strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

static const char *const type_texts[] = {
    [KEY_ADDRESSES] = "a text or a list of texts",
    [KEY_SERVERS] = "a text or a list of texts",
    [KEY_LIST] = "a text or a list of texts", [KEY_TEXT] = "a text", [KEY_NAME] = "a text",
    [KEY_CHOICE] = "one of", [KEY_COUNT] = "a whole number",
    [KEY_BYTES] = "bytes", [KEY_SECONDS] = "seconds",
    [KEY_PROCESSES] = "a whole number",
};

static void write_range(struct buf *out, const struct key *key)
{
    buf_add_text(out, type_texts[key->type]);
    for (size_t i = 0; key->type == KEY_CHOICE && key->choices[i]; i++)
        buf_printf(out, "%s \"%s\"", i ? "," : "", key->choices[i]);
    if (key->type >= KEY_COUNT) buf_printf(out, ", %.15g to %.15g", key->min, key->max);
}

/* A comment wrapped at 78 columns. */
static void write_comment(struct buf *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t size = strcspn(text, " ");
        if (column && column + 1 + size > 78) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_printf(out, "%s%.*s", column ? " " : "-- ", (int)size, text);
        column += (column ? 1 : 3) + size;
        text += size + (text[size] == ' ');
    }
    buf_add_char(out, '\n');
}

/* The annotated file is the one of `make run`, so it names the chat example's rules. */
static const char *shipped_value(const struct key *key)
{
    if (strcmp(key->name, "rules") == 0)
        return "{ \"rules/posta.lua\", \"examples/chat/pages.lua\" }";
    return key->standard;
}

void keys_write_conf(struct buf *out)
{
    buf_add_text(out, "-- sse.lua.conf: every key of Sluice with its default, and the rules of the chat\n"
                      "-- example. Lua without functions and loops; env(\"NAME\", default) reads the\n"
                      "-- environment. `sluice check -c FILE` says what a file means before it is used.\n");
    for (size_t i = 0; i < key_count; i++) {
        struct buf range = BUF_EMPTY;
        buf_add_text(&range, "Takes ");
        write_range(&range, &keys[i]);
        buf_add_text(&range, key_restarts(&keys[i]) ? "; at a restart only." : ".");
        buf_add_char(out, '\n');
        write_comment(out, keys[i].text);
        write_comment(out, keys[i].why);
        write_comment(out, buf_text(&range));
        const char *value = shipped_value(&keys[i]);
        if (value)
            buf_printf(out, "%s = %s\n", keys[i].name, value);
        else
            buf_printf(out, "-- %s =\n", keys[i].name);
        buf_destroy(&range);
    }
}

void keys_write_page(struct buf *out)
{
    buf_add_text(out, "# The config file\n\nGenerated from the table of keys by `make docs`. "
                      "`sluice check -c FILE` checks a file.\n\nA reload (HUP, `sluice reload`) "
                      "takes over every key but those of which it is said that they need a restart: "
                      "if one of\nthese is another one, the reload is refused, so that nobody "
                      "believes in a listener that is not there. An\nenvironment variable is what "
                      "it was when the server was started.\n");
    for (size_t i = 0; i < key_count; i++) {
        buf_printf(out, "\n## `%s`\n\n%s %s\n\n- takes ", keys[i].name, keys[i].text, keys[i].why);
        write_range(out, &keys[i]);
        buf_printf(out, "\n- default: %s%s%s\n", keys[i].standard ? "`" : "",
                   keys[i].standard ? keys[i].standard : "none", keys[i].standard ? "`" : "");
        if (key_restarts(&keys[i])) buf_add_text(out, "- takes effect at a restart only\n");
    }
}
