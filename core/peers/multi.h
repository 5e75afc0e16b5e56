/* multi: libcurl's multi handle on the loop: its sockets are watched, its one
 * timer stands in the wheel, and the connections it keeps alive are bounded.
 * What a request and its answer are is transfer's; nobody else uses this header
 * but to make a multi.
 *
 * Proxies are never taken from the environment: upstreams are internal, and an
 * http_proxy set for apt must not send their tokens elsewhere. */
#pragma once

#include <stdint.h>

#include "loop/loop.h"

struct multi;

struct multi_options {
    uint32_t keep_alive;      /* idle connections kept; 0: 64 */
    uint32_t connections_max; /* at once; further requests wait for one. 0: no limit, for streams */
    const char *proxy;        /* "http://host:port"; NULL: none */
    const char *ca_file;      /* trusted certificates (PEM); NULL: the system's */
};

/* The strings of the options are copied. */
struct multi *multi_new(struct loop *loop, const struct multi_options *options);

/* Nothing may be under way any more. */
void multi_free(struct multi *multi);

/* One easy handle that runs. Embedded in its transfer, and stands under CURLOPT_PRIVATE. */
struct multi_run {
    void *easy; /* a CURL * */
    /* It came to its end by itself and runs no more; `result` is a CURLcode. May start it again.
     * Never called from within a callback of curl's. */
    void (*done)(struct multi_run *run, int result);
};

/* Neither calls back before it returns, nor may be called from within a callback of curl's. */
void multi_start(struct multi *multi, struct multi_run *run);
void multi_stop(struct multi *multi, struct multi_run *run);

struct loop *multi_loop(const struct multi *multi);
const struct multi_options *multi_options(const struct multi *multi);
