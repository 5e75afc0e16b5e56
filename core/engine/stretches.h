/* stretches: who may not have been told that something was withheld (hub/told.h), shared with the other nodes, so that
 * a client that was cut is told wherever it comes back.
 *
 * This node writes each of its stretches to the topic's server as it begins, changes and ends; while the server is
 * away it keeps them, and writes them when it is here again. (Nothing new is published to those topics meanwhile, so
 * they are not many.) Each is kept for a day. Those of a dead node end where the server's order was when they are
 * asked for.
 *
 * Who attaches with a cursor asks each server of its filtered topics once. Where no answer comes nobody knows, and it
 * is told: once too often rather than once too seldom. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "cluster/cluster.h"
#include "event/cursor.h"

struct atom;
struct engine_ports;
struct hub;
struct stretch_watcher;
struct stretches;
struct topic;

/* For app.c: made before the hub, which tells it; freed after it. The ports have a joint. */
struct stretches *stretches_new(const struct engine_ports *ports, struct hub *const *hub, struct atom *app);
void stretches_free(struct stretches *stretches);
struct stretch_watcher *stretches_watcher(struct stretches *stretches);

typedef void stretches_done_f(void *owner);

/* Of one server. */
struct stretches_asked {
    struct stretches_question *question;
    struct cluster_call *call; /* NULL: none is under way */
};

/* Embedded in who asks; zeroed: nothing is known of any topic. */
struct stretches_question {
    struct stretches *_stretches;
    struct stretches_asked _asked[CLUSTER_SERVERS];
    uint32_t _open, _failed; /* servers that have not answered; those that did not know, a bit each */
    struct places _cursor;
    struct atom **_concerned; /* topics; references */
    size_t _count;
    stretches_done_f *_done;
    void *_owner;
};

/* Of the hub's topics of these names. True: there is nothing to ask, and `done` will not be called; else it comes
 * later, once. */
bool stretches_ask(struct stretches *stretches, struct stretches_question *question, struct atom *user,
                   const struct bytes *names, size_t count, struct bytes cursor, stretches_done_f *done,
                   void *owner);

/* Behind `done`: may the client not have been told of something of this topic? */
bool stretches_concern(const struct stretches_question *question, const struct topic *topic);

/* Gives up, and forgets what was answered. Harmless at any time. */
void stretches_end(struct stretches_question *question);
