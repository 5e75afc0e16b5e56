#include "server/admin.h"

#include "base/check.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/joint.h"
#include "engine/node.h"
#include "peers/redis.h"
#include "script/vm_hook.h"
#include "server/api.h"
#include "server/config.h"
#include "server/explain.h"
#include "server/metrics.h"
#include "server/record.h"
#include "server/rules.h"
#include "server/server.h"
#include "server/shadow.h"
#include "server/worker.h"

bool admin_wants_text(const struct http_request *request)
{
    static const char plain[] = "text/plain";
    const struct bytes accept = http_header_get(request, "accept");
    return accept.size >= sizeof(plain) - 1 && memcmp(accept.data, plain, sizeof(plain) - 1) == 0;
}

void admin_answer(struct exchange *exchange, int status, const char *type, struct buf *body)
{
    struct answer_headers headers = {.count = 0};
    answer_header(&headers, "content-type", bytes_of(type));
    answer_header(&headers, "cache-control", BYTES("no-store"));
    const struct http_response response = {.status = status,
                                           .headers = headers.items,
                                           .header_count = headers.count,
                                           .body = buf_bytes(body)};
    exchange->ops->respond(exchange, &response);
    buf_destroy(body);
}

void admin_refuse(struct exchange *exchange, int status, const char *code, const char *message)
{
    struct buf body = BUF_EMPTY;
    if (!admin_wants_text(&exchange->request)) {
        answer_error(exchange, status, code, message, 0, NULL);
        return;
    }
    buf_printf(&body, "sluice: %s\n", message);
    admin_answer(exchange, status, "text/plain; charset=utf-8", &body);
}

void admin_lines(struct buf *out, struct bytes lines)
{
    buf_add_char(out, '[');
    for (bool first = true; lines.size; first = false) {
        const struct bytes line = text_take_line(&lines);
        if (!first) buf_add_char(out, ',');
        text_json_string(out, line);
    }
    buf_add_char(out, ']');
}

static void answer_health(struct server *server, struct exchange *exchange)
{
    (void)server;
    struct buf body = BUF_EMPTY;
    buf_add_text(&body, "{\"status\":\"alive\"}\n");
    admin_answer(exchange, 200, "application/json", &body);
}

/* How the last reload went; null: there was none. */
static void write_reload(const struct last_reload *last, struct buf *body)
{
    if (last->outcome == RELOAD_NONE) {
        buf_add_text(body, "null");
        return;
    }
    buf_printf(body, "{\"good\":%s,\"at\":%llu.%03llu,\"lines\":",
               last->outcome == RELOAD_GOOD ? "true" : "false",
               (unsigned long long)last->wall_ms / 1000, (unsigned long long)last->wall_ms % 1000);
    admin_lines(body, buf_bytes(&last->lines));
    buf_add_char(body, '}');
}

struct quarantined {
    struct buf *body;
    const char *app;
    bool some;
};

static void add_quarantined(void *ctx, const struct vm_hook *info)
{
    struct quarantined *list = ctx;
    if (!info->quarantined) return;
    buf_add_text(list->body, list->some ? ",{\"app\":" : "{\"app\":");
    text_json_string(list->body, bytes_of(list->app));
    buf_add_text(list->body, ",\"hook\":");
    text_json_string(list->body, atom_bytes(info->what));
    buf_add_text(list->body, ",\"place\":");
    text_json_string(list->body, atom_bytes(info->place));
    buf_add_char(list->body, '}');
    list->some = true;
}

static void add_apps(const struct server *server, struct buf *body)
{
    const struct node *node = server->node;
    struct quarantined list = {.body = body};
    buf_add_text(body, "\"apps\":[");
    for (size_t i = 0; i < node_apps(node); i++) {
        if (i) buf_add_char(body, ',');
        text_json_string(body, atom_bytes(app_plan(node_app(node, i))->app));
    }
    buf_add_text(body, "],\"quarantined\":[");
    for (size_t i = 0; i < node_apps(node); i++) {
        list.app = app_plan(node_app(node, i))->app->text;
        rules_hooks_each(server->rules, node_app(node, i), add_quarantined, &list);
    }
    buf_add_char(body, ']');
}

/* null: it is not one of several. */
static void add_worker(const struct server *server, struct buf *body)
{
    if (server->worker)
        buf_printf(body, "{\"index\":%u,\"count\":%u},", worker_index(server->worker),
                   worker_count(server->worker));
    else
        buf_add_text(body, "null,");
}

/* beat_ms: since a beat came back; null: the server was never here. `why` it is not, or soon will not be; null: nothing
 * is known. */
static void add_redis_server(const struct server *server, uint32_t index, struct buf *body)
{
    const struct cluster *cluster = server->joint->cluster;
    const bool here = cluster_here(cluster, index);
    struct redis_peer_status status;
    redis_peer_status_of(server->redis, cluster_redis(cluster, index), &status);
    buf_add_text(body, "{\"server\":");
    text_json_string(body, bytes_of(cluster_identity(cluster, index)));
    buf_printf(body, ",\"here\":%s,\"beat_ms\":", here ? "true" : "false");
    if (cluster_counters(cluster, index)->entered)
        buf_printf(body, "%llu", (unsigned long long)cluster_beat_age_ms(cluster, index));
    else
        buf_add_text(body, "null");
    buf_add_text(body, ",\"why\":");
    const struct bytes why = here ? cluster_refusal(cluster, index) : bytes_of(status.why);
    if (why.size)
        text_json_string(body, why);
    else
        buf_add_text(body, "null");
    buf_add_char(body, '}');
}

/* Which servers are here; null for a node by itself. */
static void add_redis(const struct server *server, struct buf *body)
{
    buf_add_text(body, "\"redis\":");
    if (!server->joint) {
        buf_add_text(body, "null,");
        return;
    }
    const struct cluster *cluster = server->joint->cluster;
    buf_add_text(body, "{\"node\":");
    text_json_string(body, cluster_node(cluster));
    buf_add_text(body, ",\"servers\":[");
    for (uint32_t i = 0; i < cluster_servers(cluster); i++) {
        if (i) buf_add_char(body, ',');
        add_redis_server(server, i, body);
    }
    buf_add_text(body, "]},");
}

static void answer_ready(struct server *server, struct exchange *exchange)
{
    const struct node *node = server->node;
    const struct joint *joint = server->joint;
    const bool draining = node_draining(node), cut = joint && !cluster_is_ready(joint->cluster);
    const bool ready = !draining && !cut;
    uint32_t subscribers = 0, users = 0, topics = 0;
    struct buf body = BUF_EMPTY;
    for (size_t i = 0; i < node_apps(node); i++) {
        const struct hub_counters *counters = hub_counters(app_hub(node_app(node, i)));
        subscribers += counters->subscribers;
        users += counters->users;
        topics += counters->topics;
    }
    buf_printf(&body,
               "{\"ready\":%s,\"mode\":\"%s\",\"generation\":%u,\"subscribers\":%u,\"users\":%u,"
               "\"topics\":%u,\"links\":%u,\"worker\":",
               ready ? "true" : "false", draining ? "draining" : cut ? "cut off" : "serving",
               rules_generation(server->rules), subscribers, users, topics, node_links(node));
    add_worker(server, &body);
    add_redis(server, &body);
    add_apps(server, &body);
    buf_add_text(&body, ",\"reload\":");
    write_reload(&server->reload, &body);
    buf_add_text(&body, "}\n");
    admin_answer(exchange, ready ? 200 : 503, "application/json", &body);
}

static void answer_metrics(struct server *server, struct exchange *exchange)
{
    struct buf body = BUF_EMPTY;
    metrics_write(server, &body);
    admin_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void answer_reload(struct server *server, struct exchange *exchange)
{
    struct buf report = BUF_EMPTY, body = BUF_EMPTY, promote = BUF_EMPTY;
    const bool promotes = text_query_get(exchange->request.query, "promote", &promote);
    buf_destroy(&promote);
    if (promotes && !rules_shadows(server->rules)) {
        admin_refuse(exchange, 409, "no_shadow", "Nothing is shadowed; sluice reload --shadow, or POST /shadow, begins.");
        return;
    }
    const bool good = server_reload(server, promotes, &report);
    if (admin_wants_text(&exchange->request)) {
        admin_answer(exchange, good ? 200 : 409, "text/plain; charset=utf-8", &report);
        return;
    }
    buf_printf(&body, "{\"reloaded\":%s,\"generation\":%u,\"lines\":", good ? "true" : "false",
               rules_generation(server->rules));
    admin_lines(&body, buf_bytes(&report));
    buf_add_text(&body, "}\n");
    buf_destroy(&report);
    admin_answer(exchange, good ? 200 : 409, "application/json", &body);
}

static const struct page {
    const char *method, *path;
    enum { OPEN, READS, CHANGES } kind; /* OPEN: served without the key */
    void (*answer)(struct server *server, struct exchange *exchange);
} pages[] = {
    {"GET", "/health", OPEN, answer_health},
    {"GET", "/ready", READS, answer_ready},
    {"GET", "/metrics", READS, answer_metrics},
    {"GET", "/explain", READS, explain_answer},
    {"GET", "/api/apps", READS, api_apps},
    {"GET", "/api/topics", READS, api_topics},
    {"GET", "/api/subscribers", READS, api_subscribers},
    {"GET", "/api/links", READS, api_links},
    {"POST", "/api/disconnect", CHANGES, api_disconnect},
    {"GET", "/record", CHANGES, record_answer},
    {"POST", "/reload", CHANGES, answer_reload},
    {"POST", "/shadow", CHANGES, shadow_begin},
    {"GET", "/shadow", READS, shadow_report},
    {"DELETE", "/shadow", CHANGES, shadow_drop},
};

/* The host that a browser on this machine, or a probe by address, would name. */
static bool is_own_host(const struct http_request *request)
{
    struct bytes host = http_header_get(request, "host");
    if (bytes_is(request->address, "unix") || !host.data) return true;
    const char *colon = memrchr(host.data, ':', host.size);
    const char *bracket = memrchr(host.data, ']', host.size);
    if (colon && (!bracket || colon > bracket)) host.size = (size_t)(colon - host.data);
    if (text_equal_nocase(host, BYTES("localhost"))) return true;
    if (host.size && host.data[0] == '[') return true;
    for (size_t i = 0; i < host.size; i++) /* an address, not a name */
        if (!strchr("0123456789.", host.data[i])) return false;
    return host.size > 0;
}

static bool has_key(const struct config *config, const struct http_request *request)
{
    static const char scheme[] = "Bearer ";
    if (!config->admin_key) return true;
    struct bytes given = http_header_get(request, "authorization");
    if (given.size < sizeof(scheme) - 1 || memcmp(given.data, scheme, sizeof(scheme) - 1) != 0)
        return false;
    return text_equal_secret(bytes_run(given.data + sizeof(scheme) - 1,
                                       given.size - (sizeof(scheme) - 1)),
                             bytes_of(config->admin_key));
}

/* The page of the request's path and method; else NULL, and `methods` lists those that the path has. */
static const struct page *find(const struct http_request *request, struct buf *methods)
{
    const struct bytes method =
        bytes_is(request->method, "HEAD") ? BYTES("GET") : request->method;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (!bytes_is(request->path, pages[i].path)) continue;
        if (bytes_is(method, pages[i].method)) return &pages[i];
        buf_printf(methods, "%s%s", methods->size ? ", " : "", pages[i].method);
    }
    return NULL;
}

static void refuse_path(struct exchange *exchange, struct buf *methods)
{
    struct buf message = BUF_EMPTY;
    if (methods->size) {
        buf_printf(&message, "Only %s is served here.", buf_text(methods));
        admin_refuse(exchange, 405, "method_not_allowed", buf_text(&message));
    } else {
        buf_add_text(&message, "There is");
        for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
            buf_printf(&message, "%s %s %s", i ? "," : "", pages[i].method, pages[i].path);
        buf_add_char(&message, '.');
        admin_refuse(exchange, 404, "not_found", buf_text(&message));
    }
    buf_destroy(&message);
}

/* Without a key, what a browser's form or image could send changes nothing. */
static bool may_change(const struct config *config, const struct http_request *request)
{
    return config->admin_key || http_header_get(request, "x-sluice-admin").data;
}

static void handle(struct http_handler *handler, struct exchange *exchange)
{
    const struct admin *admin = CONTAINER(handler, struct admin, handler);
    const struct config *config = admin->_server->config;
    const struct http_request *request = &exchange->request;
    struct buf methods = BUF_EMPTY;
    const struct page *page = find(request, &methods);
    if (!is_own_host(request))
        admin_refuse(exchange, 403, "wrong_host",
                     "The admin listener answers to addresses and localhost only.");
    else if (!page)
        refuse_path(exchange, &methods);
    else if (page->kind != OPEN && !has_key(config, request))
        admin_refuse(exchange, 401, "unauthorized", "The admin key is missing or wrong.");
    else if (page->kind == CHANGES && !may_change(config, request))
        admin_refuse(exchange, 403, "forbidden",
                     "What changes something needs the header X-Sluice-Admin.");
    else
        page->answer(admin->_server, exchange);
    buf_destroy(&methods);
}

void admin_create(struct admin *admin, struct server *server)
{
    admin->handler.handle = handle;
    admin->_server = server;
}
