/* feed: the upstream: an SSE server that many links connect to, each with `?user=N`, and that
 * sends one event to one link when it is told to. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct feed_link;

struct feed {
    struct loop *loop;
    unsigned users;      /* links are numbered from 0 to users - 1 */
    const char *payload; /* the data of an event, a template */

    struct source _listener;
    struct feed_link **_links;
    unsigned live;     /* users that have a link */
    uint64_t accepted; /* links since feed_open: more than users, where links were reopened */
};

/* Listens on 127.0.0.1:port. The fields above `_listener` are the caller's to set. */
void feed_open(struct feed *feed, unsigned port);

/* Sends an event of type `note` to the user's link. Dies where there is no link or its
 * socket is full: the generator keeps fewer events under way than that. */
void feed_send(struct feed *feed, unsigned user, uint64_t stamp_ns);

/* The same with an event of its own, as it goes on the wire. */
void feed_send_event(struct feed *feed, unsigned user, const char *event, size_t length);
