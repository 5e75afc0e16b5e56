/* guard: which web pages may use an endpoint: the cross-site check and the CORS
 * headers (Fetch, "CORS protocol"). What names itself as coming from another
 * site is let through only from exactly listed origins; a request that names
 * nothing comes from no browser and is let through. */
#pragma once

#include <stdbool.h>

#include "engine/answer.h"
#include "plan/plan.h"
#include "ports/exchange.h"

/* May this request use this endpoint? Endpoints with an identity, and requests that change
 * something, refuse cross-site ones. */
bool guard_admits(const struct plan_endpoint *at, const struct http_request *request);

/* Adds the Access-Control-* and Vary headers that the answer needs. */
void guard_headers(const struct plan_endpoint *at, const struct http_request *request,
                   struct answer_headers *headers);

/* Answers an OPTIONS request; `at` is what the request that it announces would use, `allow` the
 * list of the path's methods. */
void guard_preflight(const struct plan_endpoint *at, struct bytes allow, struct exchange *exchange);
