/* route: which declaration a request means: the most literal stream or route that
 * takes its path and method, else the static directory with the longest prefix.
 * HEAD means a GET; OPTIONS what the request that it announces would mean. */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "plan/plan.h"
#include "ports/exchange.h"

struct app;

enum route_kind { ROUTE_STREAM, ROUTE_ROUTE, ROUTE_INGEST, ROUTE_STATIC };

struct route {
    const struct plan_endpoint *at; /* NULL: none takes it */
    enum route_kind kind;
    struct app *app;
    void *declaration; /* a struct plan_stream, plan_route, plan_ingest or plan_static */
    struct pattern_match match;
    struct bytes below; /* of a static: the path behind the prefix; data NULL: not even a '/' */
};

/* The route's match is the caller's to destroy. */
struct route route_find(struct app *const *apps, size_t count, const struct http_request *request);

/* Writes the methods that the request's path takes: "GET, HEAD, POST, OPTIONS". Returns one of the
 * endpoints that are there; NULL: the path means nothing. */
const struct plan_endpoint *route_methods(struct app *const *apps, size_t count,
                                          const struct http_request *request, struct buf *methods);
