/* visit: one request for a route, from its identity to its answer. */
#pragma once

#include "engine/app.h"
#include "plan/plan.h"
#include "ports/exchange.h"

/* Takes the exchange, and the match (which it destroys). */
void visit_request(struct app *app, const struct plan_route *route, struct exchange *exchange,
                   struct pattern_match *match);
