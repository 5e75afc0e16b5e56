/* publisher: publishes by POST over a few keep-alive connections, each with up to `depth`
 * requests under way (pipelined, RFC 9112 section 9.3.2). What is queued in one turn
 * leaves in one send a connection. */
#pragma once

#include <stdint.h>

#include "loop.h"
#include "net.h"
#include "request.h"

struct post_line;

struct publisher {
    struct loop *loop;
    struct net_targets targets;
    struct request request; /* path and body may hold %d and %t */
    unsigned connections;
    unsigned depth;

    struct post_line *_lines;
    unsigned _next;
    uint64_t asked, answered; /* since publisher_open */
    uint64_t refused;         /* answered with something else than 2xx */
    int refused_with;         /* the last such status */
};

/* The fields above `_lines` are the caller's to set, the rest zero. */
void publisher_open(struct publisher *publisher);

/* Queues the post numbered `number`, stamped with stamp_ns. Returns 0 when every
 * connection has `depth` under way. */
int publisher_post(struct publisher *publisher, unsigned number, uint64_t stamp_ns);

/* Sends what is queued. */
void publisher_flush(struct publisher *publisher);

/* Turns the loop until all that was asked is answered. Dies after 30 s without an answer. */
void publisher_await(struct publisher *publisher);
