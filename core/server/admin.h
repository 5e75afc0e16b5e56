/* admin: the handler of the admin listener:
 *
 *   GET  /health    200 while the loop turns
 *   GET  /ready     200 or 503, with what the node has and does, as JSON
 *   GET  /metrics   Prometheus text
 *   GET  /explain   what became of the last triggers, see explain.h
 *   GET  /api/…     apps, topics, subscribers, links, in pages; POST /api/disconnect; see api.h
 *   GET  /record    200 and what reaches the node from now on, a JSON object a line; see record.h
 *   POST /reload    loads config and rules again, as HUP does; 200, or 409 with the faults
 *   /shadow         POST, GET, DELETE: see shadow.h
 *
 * A page in somebody's browser must not reach it by a name of its own (DNS
 * rebinding), so the Host header is checked; with an admin_key every request but
 * /health carries it. What changes something wants the key or, where there is
 * none, the header X-Sluice-Admin, which no page can send across origins. */
#pragma once

#include "base/buf.h"
#include "ports/exchange.h"

struct server;

struct admin {
    struct http_handler handler;
    struct server *_server;
};

void admin_create(struct admin *admin, struct server *server);

/* For the pages. Does the request want text for people (Accept: text/plain), not JSON? */
bool admin_wants_text(const struct http_request *request);

/* Answers with the body, which it destroys. */
void admin_answer(struct exchange *exchange, int status, const char *type, struct buf *body);

/* Appends a text's lines as a JSON list of texts. */
void admin_lines(struct buf *out, struct bytes lines);

/* {"error":{"code","message"}}, or the message alone as text. */
void admin_refuse(struct exchange *exchange, int status, const char *code, const char *message);
