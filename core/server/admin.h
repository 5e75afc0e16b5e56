/* admin: the handler of the admin listener:
 *
 *   GET /health    200 while the loop turns
 *   GET /ready     200 or 503, with what the node has and does, as JSON
 *   GET /metrics   Prometheus text
 *
 * A page in somebody's browser must not reach it by a name of its own (DNS
 * rebinding), so the Host header is checked; with an admin_key every request but
 * /health carries it. */
#pragma once

#include "ports/exchange.h"

struct server;

struct admin {
    struct http_handler handler;
    const struct server *_server;
};

void admin_create(struct admin *admin, const struct server *server);
