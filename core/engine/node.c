#include "engine/node.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/attach.h"
#include "engine/drain.h"
#include "engine/generation.h"
#include "engine/guard.h"
#include "engine/ingest.h"
#include "engine/route.h"
#include "engine/sources.h"
#include "engine/visit.h"

struct node {
    struct http_handler handler;
    const struct engine_ports *ports;
    struct engine_limits limits;
    struct files *files;
    struct app **apps;
    size_t app_count;
    struct app **leaving; /* removed, and not idle yet */
    size_t leaving_count;
    struct timer look; /* whether they are */
    struct hub_counters gone_hub; /* what those that went had counted */
    struct feeds_counters gone_feeds;
    struct sources_counters gone_sources;
    struct census census;
};

enum { LOOK_MS = 20 };

static void handle(struct http_handler *handler, struct exchange *exchange);
static void look(struct timer *timer);

struct node *node_new(const struct engine_ports *ports, const struct engine_limits *limits,
                      struct files *files)
{
    struct node *node = xcalloc(1, sizeof(*node));
    node->handler.handle = handle;
    node->ports = ports;
    node->files = files;
    timer_init(&node->look, look);
    toll_create(&node->census.toll, ports->clock);
    node_set_limits(node, limits);
    return node;
}

void node_free(struct node *node)
{
    for (size_t i = 0; i < node->app_count; i++) app_free(node->apps[i]);
    for (size_t i = 0; i < node->leaving_count; i++) app_free(node->leaving[i]);
    clock_cancel(node->ports->clock, &node->look);
    toll_destroy(&node->census.toll);
    xfree(node->apps);
    xfree(node->leaving);
    xfree(node);
}

/* ---- requests ---- */

/* A directory's relative links need the '/' behind its name. */
static void answer_slash(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct answer_headers headers = {.count = 0};
    struct buf place = BUF_EMPTY;
    buf_add_bytes(&place, request->path);
    buf_add_char(&place, '/');
    if (request->query.size) buf_add_char(&place, '?');
    buf_add_bytes(&place, request->query);
    answer_header(&headers, "location", buf_bytes(&place));
    answer_header(&headers, "cache-control", BYTES("no-cache"));
    const struct http_response response = {
        .status = 301, .headers = headers.items, .header_count = headers.count};
    exchange->ops->respond(exchange, &response);
    buf_destroy(&place);
}

static void serve_static(struct node *node, const struct route *route, struct exchange *exchange)
{
    const struct plan_static *files = route->declaration;
    if (route->below.data)
        node->files->serve(node->files, files->directory, route->below,
                           files->cache_control ? files->cache_control->text : NULL, exchange);
    else
        answer_slash(exchange);
}

static void serve(struct node *node, struct route *route, struct exchange *exchange)
{
    switch (route->kind) {
    case ROUTE_STREAM:
        pattern_match_destroy(&route->match);
        if (bytes_is(exchange->request.method, "HEAD"))
            visit_head(route->app, route->declaration, exchange);
        else
            attach_request(route->app, route->declaration, exchange);
        break;
    case ROUTE_ROUTE:
        visit_request(route->app, route->declaration, exchange, &route->match);
        break;
    case ROUTE_INGEST:
        ingest_request(route->app, route->declaration, exchange, &route->match);
        break;
    case ROUTE_STATIC:
        serve_static(node, route, exchange);
        break;
    }
}

static void refuse_cross_site(struct node *node, struct route *route, struct exchange *exchange)
{
    node->census.cross_site++;
    pattern_match_destroy(&route->match);
    answer_error(exchange, 403, "cross_site",
                 "This request comes from another site, which is not listed here.", 0, NULL);
}

/* Nothing takes it, or it asks what would be taken. */
static void answer_methods(struct node *node, struct route *route, struct exchange *exchange)
{
    struct buf methods = BUF_EMPTY;
    struct answer_headers headers = {.count = 0};
    const struct plan_endpoint *there =
        route_methods(node->apps, node->app_count, &exchange->request, &methods);
    pattern_match_destroy(&route->match);
    if (!there) {
        node->census.not_found++;
        answer_error(exchange, 404, "not_found", "There is nothing at this path.", 0, NULL);
    } else if (bytes_is(exchange->request.method, "OPTIONS")) {
        guard_preflight(route->at ? route->at : there, buf_bytes(&methods), exchange);
    } else {
        answer_header(&headers, "allow", buf_bytes(&methods));
        answer_error(exchange, 405, "method_not_allowed",
                     "This path does not take this method; see Allow.", 0, &headers);
    }
    buf_destroy(&methods);
}

static void handle(struct http_handler *handler, struct exchange *exchange)
{
    struct node *node = CONTAINER(handler, struct node, handler);
    struct route route = route_find(node->apps, node->app_count, &exchange->request);
    node->census.requests++;
    if (!route.at || bytes_is(exchange->request.method, "OPTIONS"))
        answer_methods(node, &route, exchange);
    else if (!guard_admits(route.at, &exchange->request))
        refuse_cross_site(node, &route, exchange);
    else
        serve(node, &route, exchange);
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

struct app *node_add_app(struct node *node, struct generation *generation, struct buf *errors)
{
    for (size_t i = 0; i < node->app_count; i++)
        if (!check_against(generation_plan(generation), app_plan(node->apps[i]), errors))
            return NULL;
    node->apps = xrealloc(node->apps, (node->app_count + 1) * sizeof(struct app *));
    return node->apps[node->app_count++] = app_new(node->ports, &node->limits, &node->census, generation);
}

bool node_admits(const struct node *node, const struct plan *const *plans, size_t count,
                 struct buf *errors)
{
    const size_t before = errors->size;
    if (node->census.closed) buf_add_text(errors, "the node drains; nothing is reloaded any more\n");
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) check_against(plans[i], plans[j], errors);
    return errors->size == before;
}

/* Those that nothing holds any more go. */
static void look(struct timer *timer)
{
    struct node *node = CONTAINER(timer, struct node, look);
    size_t left = 0;
    for (size_t i = 0; i < node->leaving_count; i++) {
        struct app *app = node->leaving[i];
        if (!app_idle(app)) {
            node->leaving[left++] = app;
            continue;
        }
        hub_counters_add(&node->gone_hub, hub_counters(app_hub(app)));
        feeds_counters_add(&node->gone_feeds, &app_feeds(app)->counters);
        sources_counters_add(&node->gone_sources, &app_sources(app)->counters);
        app_free(app);
    }
    node->leaving_count = left;
    if (left) clock_after(node->ports->clock, timer, LOOK_MS);
}

void node_remove_app(struct node *node, struct app *app, uint64_t spread_ms)
{
    size_t at = 0;
    while (at < node->app_count && node->apps[at] != app) at++;
    CHECK(at < node->app_count);
    memmove(node->apps + at, node->apps + at + 1, (--node->app_count - at) * sizeof(struct app *));
    node->leaving = xrealloc(node->leaving, (node->leaving_count + 1) * sizeof(struct app *));
    node->leaving[node->leaving_count++] = app;
    drain_app(app, END_RELOAD, spread_ms);
    clock_after(node->ports->clock, &node->look, LOOK_MS);
}

void node_set_limits(struct node *node, const struct engine_limits *limits)
{
    node->limits = *limits;
    node->census.streams_max = limits->streams;
    node->census.links_max = limits->links;
    toll_set_limits(&node->census.toll, &limits->toll);
    for (size_t i = 0; i < node->app_count; i++) {
        hub_set_limits(app_hub(node->apps[i]), &limits->hub);
        store_set_limits(app_store(node->apps[i]), limits->store_entries, limits->store_bytes);
        explain_set_limits(app_explain(node->apps[i]), &limits->explain);
    }
}

void node_sum(const struct node *node, struct hub_counters *hub, struct feeds_counters *feeds)
{
    *hub = node->gone_hub;
    *feeds = node->gone_feeds;
    for (size_t i = 0; i < node->app_count + node->leaving_count; i++) {
        struct app *app =
            i < node->app_count ? node->apps[i] : node->leaving[i - node->app_count];
        hub_counters_add(hub, hub_counters(app_hub(app)));
        feeds_counters_add(feeds, &app_feeds(app)->counters);
    }
}

void node_sum_sources(const struct node *node, struct sources_counters *sources)
{
    *sources = node->gone_sources;
    for (size_t i = 0; i < node->app_count + node->leaving_count; i++) {
        struct app *app =
            i < node->app_count ? node->apps[i] : node->leaving[i - node->app_count];
        sources_counters_add(sources, &app_sources(app)->counters);
    }
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
    if (node->census.closed) return;
    node->census.closed = true;
    for (size_t i = 0; i < node->app_count; i++) drain_app(node->apps[i], END_DRAIN, spread_ms);
}

bool node_draining(const struct node *node)
{
    return node->census.closed;
}

bool node_idle(const struct node *node)
{
    for (size_t i = 0; i < node->app_count; i++)
        if (!app_idle(node->apps[i])) return false;
    return node->leaving_count == 0;
}

const struct census *node_counters(const struct node *node)
{
    return &node->census;
}

uint32_t node_links(const struct node *node)
{
    return node->census.links;
}
