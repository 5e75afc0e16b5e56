/* http: what the listeners and connections of one HTTP side have in common: the
 * loop, the limits, counters, the date, buffers that are used within a call only,
 * and what waits to be freed at the end of the turn.
 *
 * A server makes one for the public and one for the admin listeners, so that the
 * first, when full, does not shut out the second. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/kinds.h"
#include "base/list.h"
#include "http/date.h"
#include "http/limits.h"
#include "http/proxies.h"
#include "loop/loop.h"

/* Why a connection or a request was not served. */
enum http_refusal {
    HTTP_REFUSED_FULL,      /* max_connections */
    HTTP_REFUSED_ADDRESS,   /* max_per_address */
    HTTP_REFUSED_FILES,     /* no descriptor left */
    HTTP_REFUSED_MALFORMED, /* 400, 417, 501, 505 */
    HTTP_REFUSED_HEAD,      /* 431 */
    HTTP_REFUSED_BODY,      /* 413 */
    HTTP_REFUSED_TIMEOUT,   /* 408 */
    HTTP_REFUSALS
};

struct http_counters {
    uint64_t accepted; /* connections, all in all */
    uint32_t open;     /* connections now */
    uint32_t streams;  /* of these, the ones that answer without an end */
    uint64_t requests;
    uint64_t responses[6]; /* by class: [2] counts 2xx; streams count when they begin */
    uint64_t refused[HTTP_REFUSALS];
    uint64_t bytes_in, bytes_out;
};

enum { HTTP_INPUT_BYTES = 64 * 1024, HTTP_SPARE_REQUESTS = 64 };

/* Private to the rooms of http/. */
struct http {
    struct loop *loop;
    struct clock *clock;
    struct later *later;
    struct log *log;
    struct http_limits limits;
    struct proxies proxies;
    struct kinds addresses; /* connections of each */
    struct http_counters counters;
    struct list listeners;
    struct list dead; /* connections to be freed */
    struct job reap;
    struct list spare; /* requests not in use, for the next connection */
    uint32_t spare_count;
    int reserve_fd;    /* given up to refuse a connection when there is no other */
    bool out_of_files; /* said so in the log */
    struct buf output; /* heads are written here */
    char *input;       /* HTTP_INPUT_BYTES, sockets are read here */
    uint64_t date_second;
    char date[DATE_BYTES];
};

/* The loop must outlive it. */
struct http *http_new(struct loop *loop, const struct http_limits *limits);

/* Other limits from now on; those of a time count from a connection's next step. */
void http_set_limits(struct http *http, const struct http_limits *limits);

/* Whom it believes where a client is, from now on; takes them over. */
void http_set_proxies(struct http *http, struct proxies *proxies);

/* Closes all listeners and connections at once, telling those who answer or stream, and frees
 * everything. Not from within a callback of http/. */
void http_free(struct http *http);

/* The listeners that there are, also those that close: where each listens, the connections that are
 * open, and all that it accepted. */
void http_listeners_each(const struct http *http,
                         void (*each)(void *ctx, const char *address, uint32_t open,
                                      uint64_t accepted),
                         void *ctx);

const struct http_counters *http_counters(const struct http *http);

/* "malformed" for HTTP_REFUSED_MALFORMED: the label of metrics. */
const char *http_refusal_name(enum http_refusal refusal);

/* The date of answers now, written once a second. */
struct bytes http_date(struct http *http);
