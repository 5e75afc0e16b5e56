/* fetch: one HTTP request of ours and its whole answer. http and https only, at
 * most 5 redirects, credentials (authorization, cookie) never to another
 * origin, the answer bounded. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ports/exchange.h"

struct fetch_request {
    struct bytes method; /* "GET" */
    struct bytes url;
    const struct http_header *headers;
    size_t header_count;
    struct bytes body;
    uint64_t timeout_ms;    /* for all of it */
    size_t max_answer_bytes; /* of the body; more is the error "too_large" */
};

/* Valid during the call that hands it over. Either an answer or an error. */
struct fetch_answer {
    int status; /* 0 if there was no answer */
    const struct http_header *headers; /* names in lower case */
    size_t header_count;
    struct bytes body;
    const char *code;     /* NULL, or a static word: "timeout", "refused", "resolve", "tls",
                             "too_large", "redirects", "bad_url", "network" */
    const char *sentence; /* what happened, for people; NULL without an error */
};

typedef void fetch_done_f(void *owner, const struct fetch_answer *answer);

struct fetch_call;

struct fetch {
    /* Starts a request; everything is copied. `done` is called once, never before this returns
     * (a bad URL too is answered later). */
    struct fetch_call *(*start)(struct fetch *fetch, const struct fetch_request *request,
                                fetch_done_f *done, void *owner);

    /* Gives it up; `done` is not called any more. */
    void (*cancel)(struct fetch *fetch, struct fetch_call *call);
};
