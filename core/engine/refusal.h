/* refusal: how a request that may not be served is sent away.
 *
 * EventSource gives up for good on any status but 200, a 503 too. So a stream says
 * how it refuses what may be right in a minute: by status, which programs and
 * load balancers understand, or by an event stream that names a time to come back
 * and ends, which a browser takes as a lost connection. What is a plain no is
 * always a status. */
#pragma once

#include "engine/answer.h"
#include "plan/plan.h"
#include "ports/exchange.h"
#include "ports/random.h"

enum refused {
    REFUSED_NO_IDENTITY, /* 401: authenticate said no */
    REFUSED_FORBIDDEN,   /* 403: authenticate, or subscribe, said that this one may not */
    REFUSED_BAD_REQUEST, /* 400: authenticate said that the request makes no sense */
    REFUSED_UNKNOWN,     /* 503: a hook failed, so nobody knows */
    REFUSED_FULL,        /* 503: the node has as many streams as it takes, or it drains; topics */
    REFUSED_LINKS,       /* 503: it has as many links */
    REFUSED_USER,        /* 503: the user has as many streams as one may */
    REFUSED_ADDRESS,     /* 503: the address has */
    REFUSED_RATE,        /* 429: the user, or address, begins more than it may */
    REFUSED_BUSY,        /* 503: more are begun on the node than it takes */
    REFUSED_KICKED,      /* 503: a rule ended this user's streams while it was on its way in */
    REFUSED_FINAL,       /* 204: a rule ended it for good */
    REFUSED_REASONS
};

const char *refused_name(enum refused why);

/* Answers the exchange. `wait_ms`: when it may be better, where that is known; else 0. `extra` are headers that the answer has besides its own. */
void refusal_answer(struct exchange *exchange, enum refused why, enum refusal how, uint64_t wait_ms,
                    struct random *random, const struct answer_headers *extra);
