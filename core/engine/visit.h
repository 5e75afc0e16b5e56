/* visit: one request for a route, from its identity to its answer. */
#pragma once

struct app;
struct exchange;
struct pattern_match;
struct plan_route;

/* Takes the exchange, and the match (which it destroys). */
void visit_request(struct app *app, const struct plan_route *route, struct exchange *exchange,
                   struct pattern_match *match);
