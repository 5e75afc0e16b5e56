/* visit: one request that is answered at once, from its identity to its answer: for a
 * route, or for the head of a stream. */
#pragma once

struct app;
struct exchange;
struct pattern_match;
struct plan_route;
struct plan_stream;

/* Takes the exchange, and the match (which it destroys). */
void visit_request(struct app *app, const struct plan_route *route, struct exchange *exchange,
                   struct pattern_match *match);

/* HEAD of a stream: whoever may not have the stream is told so here, too (401, 403, 503, 429; 204 once it was ended for
 * good); its topics are not asked for. */
void visit_head(struct app *app, const struct plan_stream *stream, struct exchange *exchange);
