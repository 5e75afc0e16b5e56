#include "server/admin.h"

#include "base/check.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/node.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/rules.h"
#include "server/server.h"

static void answer(struct exchange *exchange, int status, const char *type, struct buf *body)
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

static void answer_health(const struct server *server, struct exchange *exchange)
{
    (void)server;
    struct buf body = BUF_EMPTY;
    buf_add_text(&body, "{\"status\":\"alive\"}\n");
    answer(exchange, 200, "application/json", &body);
}

static void answer_ready(const struct server *server, struct exchange *exchange)
{
    const struct node *node = server->node;
    const bool ready = !node_draining(node);
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
               "\"topics\":%u,\"links\":%u,\"redis\":null,\"apps\":[",
               ready ? "true" : "false", ready ? "serving" : "draining",
               rules_generation(server->rules), subscribers, users, topics, node_links(node));
    for (size_t i = 0; i < node_apps(node); i++) {
        if (i) buf_add_char(&body, ',');
        text_json_string(&body, atom_bytes(app_plan(node_app(node, i))->app));
    }
    buf_add_text(&body, "]}\n");
    answer(exchange, ready ? 200 : 503, "application/json", &body);
}

static void answer_metrics(const struct server *server, struct exchange *exchange)
{
    struct buf body = BUF_EMPTY;
    metrics_write(server, &body);
    answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static const struct {
    const char *path;
    bool open; /* served without the key */
    void (*answer)(const struct server *server, struct exchange *exchange);
} pages[] = {
    {"/health", true, answer_health},
    {"/ready", false, answer_ready},
    {"/metrics", false, answer_metrics},
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

static void handle(struct http_handler *handler, struct exchange *exchange)
{
    const struct admin *admin = CONTAINER(handler, struct admin, handler);
    const struct http_request *request = &exchange->request;
    if (!is_own_host(request)) {
        answer_error(exchange, 403, "wrong_host",
                     "The admin listener answers to addresses and localhost only.", 0, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (!bytes_is(request->path, pages[i].path)) continue;
        if (!bytes_is(request->method, "GET") && !bytes_is(request->method, "HEAD"))
            answer_error(exchange, 405, "method_not_allowed", "Only GET is served here.", 0, NULL);
        else if (!pages[i].open && !has_key(admin->_server->config, request))
            answer_error(exchange, 401, "unauthorized", "The admin key is missing or wrong.", 0,
                         NULL);
        else
            pages[i].answer(admin->_server, exchange);
        return;
    }
    answer_error(exchange, 404, "not_found", "There is /health, /ready and /metrics.", 0, NULL);
}

void admin_create(struct admin *admin, const struct server *server)
{
    admin->handler.handle = handle;
    admin->_server = server;
}
