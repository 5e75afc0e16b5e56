#include "engine/node.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/attach.h"
#include "engine/feeds.h"
#include "engine/guard.h"
#include "engine/visit.h"

struct node {
    struct http_handler handler;
    const struct engine_ports *ports;
    struct engine_limits limits;
    struct files *files;
    struct app **apps;
    size_t app_count;
    bool draining;
    struct node_counters counters;
};

static void handle(struct http_handler *handler, struct exchange *exchange);

struct node *node_new(const struct engine_ports *ports, const struct engine_limits *limits,
                      struct files *files)
{
    struct node *node = xcalloc(1, sizeof(*node));
    node->handler.handle = handle;
    node->ports = ports;
    node->limits = *limits;
    node->files = files;
    return node;
}

void node_free(struct node *node)
{
    for (size_t i = 0; i < node->app_count; i++) app_free(node->apps[i]);
    xfree(node->apps);
    xfree(node);
}

/* ---- which declaration a request means ---- */

enum target_kind { TARGET_STREAM, TARGET_ROUTE, TARGET_STATIC };

struct target {
    enum target_kind kind;
    struct app *app;
    const struct plan_endpoint *at; /* NULL: none was found */
    void *declaration;
    struct pattern_match match;
};

/* What one look through all declarations gathers. */
struct search {
    const struct http_request *request;
    bool preflight, head;
    struct target best;
    const struct plan_endpoint *other_method; /* the path is right, the method is not */
    struct buf allow;
};

static bool is_method(const struct search *search, const struct plan_endpoint *at)
{
    return bytes_equal(atom_bytes(at->method), search->request->method) ||
           (search->head && bytes_is(atom_bytes(at->method), "GET"));
}

/* The path is right, the method is not; each method goes into Allow once. */
static void note_other(struct search *search, const struct plan_endpoint *at)
{
    struct bytes method = atom_bytes(at->method);
    struct buf *allow = &search->allow;
    search->other_method = at;
    if (allow->size && memmem(allow->data, allow->size, method.data, method.size)) return;
    if (allow->size) buf_add_text(allow, ", ");
    buf_add_bytes(allow, method);
}

static void consider(struct search *search, enum target_kind kind, struct app *app,
                     const struct plan_endpoint *at, void *declaration)
{
    struct pattern_match match;
    if (!pattern_match(at->path, search->request->path, &match)) return;
    const struct plan_endpoint *best = search->best.at;
    if (is_method(search, at) &&
        (!best || pattern_literals(at->path) > pattern_literals(best->path))) {
        pattern_match_destroy(&search->best.match);
        search->best = (struct target){kind, app, at, declaration, match};
        return;
    }
    pattern_match_destroy(&match);
    note_other(search, at);
}

/* A static directory is the last resort: the longest prefix among them. */
static void consider_static(struct search *search, struct app *app, struct plan_static *files)
{
    struct bytes prefix = pattern_text(files->at.path), path = search->request->path;
    if (path.size < prefix.size || memcmp(path.data, prefix.data, prefix.size) != 0) return;
    const struct target *best = &search->best;
    if (best->at && (best->kind != TARGET_STATIC ||
                     pattern_literals(best->at->path) >= pattern_literals(files->at.path)))
        return;
    if (is_method(search, &files->at))
        search->best = (struct target){.kind = TARGET_STATIC, .app = app, .at = &files->at,
                                       .declaration = files};
    else
        note_other(search, &files->at);
}

static void look_through(struct node *node, struct search *search)
{
    for (size_t a = 0; a < node->app_count; a++) {
        struct app *app = node->apps[a];
        const struct plan *plan = app_plan(app);
        for (size_t i = 0; i < plan->stream_count; i++)
            consider(search, TARGET_STREAM, app, &plan->streams[i]->at, plan->streams[i]);
        for (size_t i = 0; i < plan->route_count; i++)
            consider(search, TARGET_ROUTE, app, &plan->routes[i]->at, plan->routes[i]);
    }
    if (search->best.at) return;
    for (size_t a = 0; a < node->app_count; a++) {
        const struct plan *plan = app_plan(node->apps[a]);
        for (size_t i = 0; i < plan->static_count; i++)
            consider_static(search, node->apps[a], plan->statics[i]);
    }
}

/* ---- what is done with it ---- */

static void answer_head_of_stream(struct exchange *exchange, const struct plan_endpoint *at)
{
    struct answer_headers headers = {.count = 0};
    answer_stream_headers(&headers);
    guard_headers(at, &exchange->request, &headers);
    struct sink *sink = exchange->ops->stream(exchange, 200, headers.items, headers.count);
    sink->ops->close(sink, "head");
}

static void serve_static(struct node *node, const struct target *target,
                         struct exchange *exchange)
{
    const struct plan_static *files = target->declaration;
    const size_t prefix = pattern_text(files->at.path).size;
    const struct bytes path = exchange->request.path;
    node->files->serve(node->files, files->directory,
                       bytes_run(path.data + prefix, path.size - prefix),
                       files->cache_control ? files->cache_control->text : NULL, exchange);
}

static void answer_unmatched(struct node *node, struct search *search, struct exchange *exchange)
{
    if (search->other_method && search->preflight) {
        guard_preflight(search->other_method, buf_text(&search->allow), exchange);
    } else if (search->other_method) {
        struct answer_headers headers = {.count = 0};
        buf_add_text(&search->allow, ", OPTIONS");
        answer_header(&headers, "allow", buf_bytes(&search->allow));
        answer_error(exchange, 405, "method_not_allowed",
                     "This path does not take this method; see Allow.", 0, &headers);
    } else {
        node->counters.not_found++;
        answer_error(exchange, 404, "not_found", "There is nothing at this path.", 0, NULL);
    }
}

static void serve(struct node *node, struct search *search, struct exchange *exchange)
{
    struct target *target = &search->best;
    if (!guard_admits(target->at, &exchange->request)) {
        node->counters.cross_site++;
        pattern_match_destroy(&target->match);
        answer_error(exchange, 403, "cross_site",
                     "This request comes from another site, which is not listed here.", 0, NULL);
        return;
    }
    switch (target->kind) {
    case TARGET_STREAM:
        pattern_match_destroy(&target->match);
        if (search->head)
            answer_head_of_stream(exchange, target->at);
        else
            attach_request(target->app, target->declaration, exchange);
        break;
    case TARGET_ROUTE:
        visit_request(target->app, target->declaration, exchange, &target->match);
        break;
    case TARGET_STATIC:
        serve_static(node, target, exchange);
        break;
    }
}

static void handle(struct http_handler *handler, struct exchange *exchange)
{
    struct node *node = CONTAINER(handler, struct node, handler);
    struct search search = {.request = &exchange->request,
                            .preflight = bytes_is(exchange->request.method, "OPTIONS"),
                            .head = bytes_is(exchange->request.method, "HEAD"),
                            .allow = BUF_EMPTY};
    node->counters.requests++;
    look_through(node, &search);
    if (search.best.at)
        serve(node, &search, exchange);
    else
        answer_unmatched(node, &search, exchange);
    buf_destroy(&search.allow);
}

struct http_handler *node_handler(struct node *node)
{
    return &node->handler;
}

/* ---- apps ---- */

static bool check_against(const struct plan *plan, const struct plan *other, struct buf *errors)
{
    const size_t before = errors->size;
    if (plan->app == other->app)
        buf_printf(errors, "two rule files declare the app \"%s\"\n", plan->app->text);
    for (size_t i = 0; i < plan_endpoints(plan); i++)
        for (size_t j = 0; j < plan_endpoints(other); j++) {
            const struct plan_endpoint *a = plan_endpoint(plan, i), *b = plan_endpoint(other, j);
            if (plan_endpoints_clash(a, b))
                buf_printf(errors, "%s: %s %s clashes with \"%s\" of app \"%s\" at %s\n",
                           a->place.text, a->method->text, pattern_text(a->path).data,
                           b->name->text, other->app->text, b->place.text);
        }
    for (size_t i = 0; i < plan->static_count; i++)
        for (size_t j = 0; j < other->static_count; j++) {
            const struct plan_static *a = plan->statics[i], *b = other->statics[j];
            if (plan_statics_clash(a, b))
                buf_printf(errors, "%s: static \"%s\" has the prefix of \"%s\" of app \"%s\", %s\n",
                           a->at.place.text, a->at.name->text, b->at.name->text, other->app->text,
                           b->at.place.text);
        }
    return errors->size == before;
}

struct app *node_add_app(struct node *node, struct plan *plan, struct hooks *hooks,
                         struct buf *errors)
{
    for (size_t i = 0; i < node->app_count; i++)
        if (!check_against(plan, app_plan(node->apps[i]), errors)) return NULL;
    node->apps = xrealloc(node->apps, (node->app_count + 1) * sizeof(struct app *));
    return node->apps[node->app_count++] = app_new(node->ports, &node->limits, node, plan, hooks);
}

size_t node_apps(const struct node *node)
{
    return node->app_count;
}

struct app *node_app(const struct node *node, size_t index)
{
    return node->apps[index];
}

/* ---- drain ---- */

void node_drain(struct node *node, uint64_t spread_ms)
{
    node->draining = true;
    for (size_t i = 0; i < node->app_count; i++) app_drain(node->apps[i], spread_ms);
}

bool node_draining(const struct node *node)
{
    return node->draining;
}

bool node_idle(const struct node *node)
{
    for (size_t i = 0; i < node->app_count; i++)
        if (!app_idle(node->apps[i])) return false;
    return true;
}

/* ---- seats, ends, refusals ---- */

bool node_seat_taken(struct node *node)
{
    if (node->draining || node->counters.streams >= node->limits.streams) return false;
    node->counters.streams++;
    return true;
}

void node_seat_left(struct node *node)
{
    node->counters.streams--;
}

void node_ended(struct node *node, enum end_reason reason)
{
    node->counters.ends[reason]++;
}

void node_refused(struct node *node, enum refused why)
{
    node->counters.refused[why]++;
}

const struct node_counters *node_counters(const struct node *node)
{
    return &node->counters;
}

uint32_t node_links(const struct node *node)
{
    uint32_t links = 0;
    for (size_t i = 0; i < node->app_count; i++)
        links += app_feeds(node->apps[i])->counters.links;
    return links;
}
