/* The order of making is the order of need: loop, network, rules, node,
 * listeners; the order of ending is the other way round. Rules are loaded before
 * any address is taken, so that a broken file never half-starts a server. */
#include "server/server.h"

#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/claimed.h"
#include "engine/databases.h"
#include "engine/joint.h"
#include "engine/node.h"
#include "engine/shadow.h"
#include "http/http.h"
#include "http/static.h"
#include "loop/loop.h"
#include "peers/fetch.h"
#include "peers/multi.h"
#include "peers/redis.h"
#include "peers/transport.h"
#include "script/loaded.h"
#include "server/config.h"
#include "server/describe.h"
#include "server/doubts.h"
#include "server/limits.h"
#include "server/listeners.h"
#include "server/logs.h"
#include "server/record.h"
#include "server/rules.h"
#include "server/service.h"
#include "server/worker.h"
#include "upstream/gate.h"

enum { DRAIN_LOOK_MS = 20, ADMIN_CONNECTIONS = 100, FETCH_CONNECTIONS = 256,
       FILE_BYTES_MAX = 16 << 20 };

struct parts {
    struct server *server;
    struct http *admin_http;
    struct multi *streams_multi, *fetches_multi; /* apart, so that links cannot hold up requests */
    struct transport *transport;
    struct fetch *fetch;
    struct redis_opener *redis;
    struct databases databases; /* that rules send commands to */
    struct claimed claimed;     /* what this node does for all */
    struct static_files files;
    struct listeners listeners;
    struct service *service;
    struct gate gate;
    struct order order;
    struct engine_ports ports;
    struct shadow_ports shadow_ports;
    struct timer drain;
    uint64_t drain_from_ms, drain_until_ms;
    uint64_t drained; /* streams that were there when it began */
    int exit_code;
};

/* ---- making ---- */

static struct hash_key random_key(struct random *random)
{
    return (struct hash_key){random->next(random), random->next(random)};
}

/* How many there are was settled when their master started; what the file says by now takes a restart. */
static void be_worker(struct server *server)
{
    server->config->workers = worker_count(server->worker);
    logs_name_worker(loop_log(server->loop), worker_index(server->worker));
}

static struct redis_peer_limits redis_limits(const struct config *config)
{
    return (struct redis_peer_limits){.connect_timeout_ms = config->redis_connect_timeout_ms,
                                      .timeout_ms = config->redis_timeout_ms};
}

static void make_ports(struct server *server, bool check)
{
    struct parts *parts = server->_parts;
    const struct config *config = server->config;
    struct loop *loop = server->loop;
    struct random *random = loop_random(loop);
    struct log *log = loop_log(loop);
    logs_set(log, config->log_level, config->log_format);
    if (server->worker) be_worker(server);
    hash_seed(random_key(random));
    cursor_epoch_create(&parts->order.epoch, random->next(random), random_key(random),
                        random_key(random));
    order_create(&parts->order);
    gate_create(&parts->gate, loop_clock(loop), config->link_rate, config->link_burst);
    const struct multi_options fetches = {.keep_alive = FETCH_CONNECTIONS,
                                          .connections_max = FETCH_CONNECTIONS};
    const struct multi_options streams = {.keep_alive = 0};
    parts->streams_multi = multi_new(loop, &streams);
    parts->fetches_multi = multi_new(loop, &fetches);
    parts->transport = transport_new(parts->streams_multi);
    parts->fetch = fetch_new(parts->fetches_multi);
    server->recorder = recorder_new(server, parts->fetch, parts->transport, &parts->order);
    struct taps *taps = recorder_taps(server->recorder);
    struct redis_peer_limits redis = redis_limits(config);
    redis.idle = check;
    parts->redis = server->redis = redis_peer_new(loop, &redis);
    databases_create(&parts->databases, parts->redis, log);
    static_create(&parts->files, log, FILE_BYTES_MAX);
    parts->ports = (struct engine_ports){.clock = loop_clock(loop),
                                         .later = loop_later(loop),
                                         .random = random,
                                         .log = log,
                                         .transport = &taps->transport,
                                         .fetch = &taps->fetch,
                                         .gate = &parts->gate,
                                         .order = &parts->order,
                                         .redis = parts->redis,
                                         .databases = &parts->databases,
                                         .journal = &taps->journal};
    shadow_ports_create(&parts->shadow_ports, &parts->ports);
}

/* Who was stopped looks first at what it holds no longer. */
static void on_gap(void *owner)
{
    struct joint *joint = owner;
    claims_check(joint->claims);
}

/* With the nodes that share these servers; false: a url is none. */
static bool make_joint(struct parts *parts, const struct config *config, struct buf *errors)
{
    const struct engine_ports *ports = &parts->ports;
    const struct cluster_ports cluster = {ports->clock, ports->random, ports->log, parts->redis};
    const struct config_list *urls = &config->redis;
    if (!urls->count) return true;
    parts->ports.joint =
        joint_new(&cluster, ports->later, &parts->order, (const char *const *)urls->items,
                  urls->count, bytes_of(config->redis_prefix), errors);
    struct joint *joint = parts->server->joint = parts->ports.joint;
    if (!joint) {
        buf_add_char(errors, '\n');
        return false;
    }
    loop_on_gap(parts->server->loop, on_gap, joint);
    claimed_create(&parts->claimed, joint->claims, joint->cluster);
    parts->ports.holdings = &parts->claimed.holdings;
    return true;
}

static struct http *make_http(struct loop *loop, const struct config *config, uint64_t connections)
{
    struct http_limits limits;
    config_http_limits(config, connections, &limits);
    return http_new(loop, &limits);
}

static void believe_proxies(struct server *server, const struct config *config)
{
    struct proxies proxies;
    config_proxies(config, &proxies);
    http_set_proxies(server->http, &proxies);
}

static struct node *make_node(struct parts *parts, const struct config *config)
{
    struct engine_limits limits;
    config_engine_limits(config, &limits);
    return node_new(&parts->ports, &limits, &parts->files.files);
}

static bool open_log(struct server *server, struct buf *errors)
{
    char *path = config_log_file(server->config);
    const bool good = logs_open(server->_parts->ports.log, path, errors);
    xfree(path);
    return good;
}

static bool open_listeners(struct server *server, struct buf *errors)
{
    struct parts *parts = server->_parts;
    const struct config *config = server->config;
    struct http_handler *handler = &recorder_taps(server->recorder)->handler;
    const struct listeners_plan plan = {
        .service = parts->service,
        .worker = server->worker,
        .open = {&config->listen, server->http, handler},
        .trusted = {&config->listen_trusted, server->http, handler},
        .admin = {&config->admin, parts->admin_http, &server->admin.handler}};
    return listeners_open(&parts->listeners, &plan, errors);
}

struct server *server_new(struct config *config, bool check, struct buf *errors)
{
    struct server *server = xcalloc(1, sizeof(*server));
    struct parts *parts = server->_parts = xcalloc(1, sizeof(*parts));
    server->config = config;
    server->worker = check ? NULL : worker_new();
    parts->server = server;
    server->loop = loop_new();
    make_ports(server, check);
    const bool joined = check || make_joint(parts, config, errors);
    parts->service = service_new(loop_clock(server->loop));
    server->http = make_http(server->loop, config, config->connections);
    believe_proxies(server, config);
    parts->admin_http = make_http(server->loop, config, ADMIN_CONNECTIONS);
    server->node = make_node(parts, config);
    taps_handle(recorder_taps(server->recorder), node_handler(server->node));
    admin_create(&server->admin, server);
    server->rules = rules_load(config, &parts->ports, &parts->shadow_ports, server->node, errors);
    if (joined && rules_good(server->rules) &&
        (check || (open_log(server, errors) && open_listeners(server, errors))))
        return server;
    server_free(server);
    return NULL;
}

void server_describe(const struct server *server, struct buf *out)
{
    describe(server->config, server->rules, out);
}

void server_doubt(const struct server *server, struct buf *out)
{
    doubts_of_config(server->config, limits_raise_files(), out);
    doubts_of_rules(server->rules, out);
}

/* ---- running, draining, ending ---- */

/* Nothing that was begun is left, also what is answered to the last byte. */
static bool is_quiet(const struct server *server)
{
    return node_idle(server->node) && !rules_owed(server->rules) &&
           http_counters(server->http)->open == 0;
}

static void log_drained(const struct parts *parts)
{
    const struct server *server = parts->server;
    LOG(parts->ports.log, LOG_INFO, "drained", F_NUMBER("streams", (int64_t)parts->drained),
        F_NUMBER("took_ms", (int64_t)(parts->ports.clock->now_ms - parts->drain_from_ms)),
        F_NUMBER("longest_turn_ms", (int64_t)loop_counters(server->loop)->lag_max_us / 1000));
}

static void log_cut(const struct parts *parts, const char *why)
{
    const struct server *server = parts->server;
    LOG(parts->ports.log, LOG_WARN, why,
        F_NUMBER("streams", node_counters(server->node)->streams),
        F_NUMBER("links", node_links(server->node)), F_NUMBER("watermarks", rules_owed(server->rules)),
        F_NUMBER("connections", http_counters(server->http)->open));
}

/* Looks again until all is quiet or the time is over. */
static void on_drain(struct timer *timer)
{
    struct parts *parts = CONTAINER(timer, struct parts, drain);
    struct clock *clock = parts->ports.clock;
    const bool quiet = is_quiet(parts->server);
    if (!quiet && clock->now_ms < parts->drain_until_ms) {
        clock_after(clock, timer, DRAIN_LOOK_MS);
        return;
    }
    if (quiet)
        log_drained(parts);
    else
        log_cut(parts, "the drain's time is over");
    loop_stop(parts->server->loop);
}

static void begin_drain(struct server *server)
{
    struct parts *parts = server->_parts;
    listeners_close_public(&parts->listeners);
    rules_unshadow(server->rules);
    parts->drained = node_counters(server->node)->streams;
    parts->drain_from_ms = parts->ports.clock->now_ms;
    parts->drain_until_ms = parts->drain_from_ms + server->config->drain_timeout_ms;
    loop_lag_reset(server->loop);
    node_drain(server->node, server->config->drain_spread_ms);
    clock_after(parts->ports.clock, &parts->drain, DRAIN_LOOK_MS);
}

static void on_at_once_signal(void *owner, int signum)
{
    struct server *server = owner;
    struct parts *parts = server->_parts;
    (void)signum;
    log_cut(parts, "ended at once by a second signal");
    clock_cancel(parts->ports.clock, &parts->drain);
    loop_stop(server->loop);
}

static void on_end_signal(void *owner, int signum)
{
    struct server *server = owner;
    struct parts *parts = server->_parts;
    if (node_draining(server->node)) {
        if (!server->worker) on_at_once_signal(server, signum);
        return;
    }
    LOG(parts->ports.log, LOG_INFO, "draining", F_TEXT("signal", signum == SIGINT ? "INT" : "TERM"),
        F_NUMBER("streams", node_counters(server->node)->streams));
    service_stopping(parts->service, "draining");
    begin_drain(server);
}

static void log_lines(struct log *log, enum log_level level, const char *message,
                      struct bytes lines)
{
    while (lines.size) LOG(log, level, message, F_BYTES("why", text_take_line(&lines)));
}

/* To the log, and to the end of the report. */
static void report_doubts(const struct server *server, struct buf *report)
{
    const size_t before = report->size;
    server_doubt(server, report);
    log_lines(server->_parts->ports.log, LOG_WARN, "probably not meant",
              bytes_run(report->data + before, report->size - before));
}

/* Gives the rooms what the config says now; the listeners are what they were. */
static void use_config(struct server *server, struct config *config)
{
    struct parts *parts = server->_parts;
    struct engine_limits engine;
    struct http_limits http;
    config_engine_limits(config, &engine);
    node_set_limits(server->node, &engine);
    const struct redis_peer_limits redis = redis_limits(config);
    redis_peer_limit(parts->redis, &redis);
    config_http_limits(config, config->connections, &http);
    http_set_limits(server->http, &http);
    believe_proxies(server, config);
    config_http_limits(config, ADMIN_CONNECTIONS, &http);
    http_set_limits(parts->admin_http, &http);
    gate_set_rate(&parts->gate, config->link_rate, config->link_burst);
    logs_set(parts->ports.log, config->log_level, config->log_format);
    config_free(server->config);
    server->config = config;
}

/* A log that cannot be opened goes on where it went: what is said of it must be heard. */
static void reopen_log(struct server *server, struct buf *report)
{
    const size_t before = report->size;
    struct log *log = server->_parts->ports.log;
    if (!open_log(server, report))
        log_lines(log, LOG_ERROR, "the log is not opened again",
                  bytes_run(report->data + before, report->size - before));
}

static void on_log_signal(void *owner, int signum)
{
    struct buf report = BUF_EMPTY;
    (void)signum;
    reopen_log(owner, &report);
    buf_destroy(&report);
}

static bool reload(struct server *server, bool promote, struct buf *errors)
{
    struct config *config = config_read(server->config->path, errors);
    if (config && config_follows(server->config, config, errors) &&
        rules_reload(server->rules, config, promote, errors)) {
        use_config(server, config);
        return true;
    }
    config_free(config);
    return false;
}

/* What `systemctl status` shows. */
static void say_ready(const struct server *server)
{
    struct buf status = BUF_EMPTY;
    buf_printf(&status, "serving %zu apps, generation %u%s", node_apps(server->node),
               rules_generation(server->rules),
               server->reload.outcome == RELOAD_REFUSED ? "; the last reload was refused" : "");
    service_ready(server->_parts->service, buf_text(&status));
    buf_destroy(&status);
}

bool server_reload(struct server *server, bool promote, struct buf *report)
{
    struct log *log = server->_parts->ports.log;
    struct last_reload *last = &server->reload;
    const bool ends = node_draining(server->node); /* which systemd was told, and is not told otherwise */
    if (!ends) service_reloading(server->_parts->service);
    const bool good = reload(server, promote, report);
    if (good) {
        LOG(log, LOG_INFO, "reloaded", F_NUMBER("apps", node_apps(server->node)),
            F_NUMBER("generation", rules_generation(server->rules)));
        buf_printf(report, "reloaded: %zu apps, generation %u\n", node_apps(server->node),
                   rules_generation(server->rules));
        report_doubts(server, report);
    } else {
        log_lines(log, LOG_ERROR, "not reloaded, the running rules stay", buf_bytes(report));
    }
    ++*(good ? &last->good : &last->refused);
    reopen_log(server, report);
    last->outcome = good ? RELOAD_GOOD : RELOAD_REFUSED;
    last->wall_ms = server->_parts->ports.clock->wall_ms;
    buf_clear(&last->lines);
    buf_add_bytes(&last->lines, buf_bytes(report));
    if (!ends) say_ready(server);
    return good;
}

static void on_reload_signal(void *owner, int signum)
{
    struct buf report = BUF_EMPTY;
    (void)signum;
    server_reload(owner, false, &report);
    buf_destroy(&report);
}

int server_run(struct server *server)
{
    struct parts *parts = server->_parts;
    struct buf doubts = BUF_EMPTY;
    limits_ignore_pipes();
    report_doubts(server, &doubts);
    buf_destroy(&doubts);
    timer_init(&parts->drain, on_drain);
    loop_signal(server->loop, SIGTERM, on_end_signal, server);
    loop_signal(server->loop, SIGINT, on_end_signal, server);
    loop_signal(server->loop, SIGHUP, on_reload_signal, server);
    loop_signal(server->loop, SIGUSR1, on_log_signal, server);
    if (server->worker) loop_signal(server->loop, WORKER_AT_ONCE, on_at_once_signal, server);
    listeners_log(&parts->listeners, parts->ports.log);
    say_ready(server);
    LOG(parts->ports.log, LOG_INFO, "serving", F_NUMBER("apps", node_apps(server->node)));
    loop_run(server->loop);
    LOG(parts->ports.log, LOG_INFO, "ended", F_NUMBER("code", parts->exit_code));
    return parts->exit_code;
}

/* What is still under way when the drain's time is over is left as it is: the process ends, and
 * nothing is freed under what runs. */
void server_free(struct server *server)
{
    struct parts *parts = server->_parts;
    loop_deafen(server->loop);
    service_free(parts->service);
    recorder_end(server->recorder, "the server ended");
    http_free(server->http);
    http_free(parts->admin_http);
    loop_turn(server->loop, false);
    if (!node_idle(server->node)) return;
    rules_stop(server->rules);
    node_free(server->node);
    while (loaded_live()) loop_turn(server->loop, false);
    rules_free(server->rules);
    loop_turn(server->loop, false);
    shadow_ports_destroy(&parts->shadow_ports);
    loop_on_gap(server->loop, NULL, NULL);
    if (parts->ports.joint) joint_free(parts->ports.joint);
    databases_destroy(&parts->databases);
    redis_peer_free(parts->redis);
    recorder_free(server->recorder);
    fetch_free(parts->fetch);
    transport_free(parts->transport);
    multi_free(parts->fetches_multi);
    multi_free(parts->streams_multi);
    gate_destroy(&parts->gate);
    loop_free(server->loop);
    buf_destroy(&server->reload.lines);
    config_free(server->config);
    listeners_destroy(&parts->listeners);
    worker_free(server->worker);
    xfree(parts);
    xfree(server);
}
