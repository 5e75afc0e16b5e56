/* All declarations are looked through: they are few, and what else a request
 * costs is more. */
#include "engine/route.h"

#include "engine/app.h"

struct search {
    const struct http_request *request;
    struct bytes method; /* that is looked for */
    struct route route;
    const struct plan_endpoint *there;
    struct buf *methods;
};

/* What is at the request's path; `below` is a static's. */
typedef void found_f(struct search *search, const struct route *found);

static void look_at(struct search *search, found_f *found, enum route_kind kind, struct app *app,
                    const struct plan_endpoint *at, void *declaration)
{
    struct route route = {
        .at = at, .kind = kind, .app = app, .declaration = declaration};
    if (pattern_match(at->path, search->request->path, &route.match)) found(search, &route);
}

/* "/assets" covers "/assets/a", not "/assetsa". */
static void look_at_static(struct search *search, found_f *found, struct app *app,
                           struct plan_static *files)
{
    const struct bytes prefix = plan_static_prefix(files), path = search->request->path;
    if (path.size < prefix.size || memcmp(path.data, prefix.data, prefix.size) != 0) return;
    struct bytes rest = bytes_run(path.data + prefix.size, path.size - prefix.size);
    if (rest.size && rest.data[0] != '/') return;
    rest = rest.size ? bytes_run(rest.data + 1, rest.size - 1) : (struct bytes){NULL, 0};
    found(search, &(struct route){.at = &files->at,
                                  .kind = ROUTE_STATIC,
                                  .app = app,
                                  .declaration = files,
                                  .below = rest});
}

static void look_through(struct search *search, struct app *const *apps, size_t count,
                         found_f *found)
{
    for (size_t a = 0; a < count; a++) {
        const struct plan *plan = app_plan(apps[a]);
        for (size_t i = 0; i < plan->stream_count; i++)
            look_at(search, found, ROUTE_STREAM, apps[a], &plan->streams[i]->at, plan->streams[i]);
        for (size_t i = 0; i < plan->route_count; i++)
            look_at(search, found, ROUTE_ROUTE, apps[a], &plan->routes[i]->at, plan->routes[i]);
        for (size_t i = 0; i < plan->ingest_count; i++)
            look_at(search, found, ROUTE_INGEST, apps[a], &plan->ingests[i]->at, plan->ingests[i]);
        for (size_t i = 0; i < plan->static_count; i++)
            look_at_static(search, found, apps[a], plan->statics[i]);
    }
}

/* ---- the one that is meant ---- */

/* The method of the request, or of the one that a preflight announces (Fetch, "CORS-preflight
 * request"). */
static struct bytes wanted_method(const struct http_request *request)
{
    const struct bytes announced = http_header_get(request, "access-control-request-method");
    const bool announces = bytes_is(request->method, "OPTIONS") && announced.data;
    const struct bytes method = announces ? announced : request->method;
    return bytes_is(method, "HEAD") ? BYTES("GET") : method;
}

static bool is_better(const struct route *a, const struct route *b)
{
    if (!b->at) return true;
    if ((a->kind == ROUTE_STATIC) != (b->kind == ROUTE_STATIC)) return b->kind == ROUTE_STATIC;
    return pattern_literals(a->at->path) > pattern_literals(b->at->path);
}

static void consider(struct search *search, const struct route *found)
{
    struct route worse = *found;
    if (bytes_equal(atom_bytes(found->at->method), search->method) &&
        is_better(found, &search->route)) {
        worse = search->route;
        search->route = *found;
    }
    pattern_match_destroy(&worse.match);
}

struct route route_find(struct app *const *apps, size_t count, const struct http_request *request)
{
    struct search search = {.request = request, .method = wanted_method(request)};
    look_through(&search, apps, count, consider);
    return search.route;
}

/* ---- the methods of a path ---- */

static bool is_listed(struct bytes list, struct bytes word)
{
    while (list.size > word.size) {
        const char *comma = memchr(list.data, ',', list.size);
        size_t size = comma ? (size_t)(comma - list.data) : list.size;
        if (bytes_equal(bytes_run(list.data, size), word)) return true;
        if (!comma) return false;
        list = bytes_run(comma + 2, list.size - size - 2);
    }
    return bytes_equal(list, word);
}

static void list_method(struct buf *methods, struct bytes method)
{
    if (is_listed(buf_bytes(methods), method)) return;
    if (methods->size) buf_add_text(methods, ", ");
    buf_add_bytes(methods, method);
    if (bytes_is(method, "GET")) list_method(methods, BYTES("HEAD"));
}

static void gather(struct search *search, const struct route *found)
{
    struct pattern_match match = found->match;
    search->there = found->at;
    list_method(search->methods, atom_bytes(found->at->method));
    pattern_match_destroy(&match);
}

const struct plan_endpoint *route_methods(struct app *const *apps, size_t count,
                                          const struct http_request *request, struct buf *methods)
{
    struct search search = {.request = request, .methods = methods};
    look_through(&search, apps, count, gather);
    if (search.there) list_method(methods, BYTES("OPTIONS"));
    return search.there;
}
