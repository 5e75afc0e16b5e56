/* snapshot: how does a topic stand now, for this subscriber? Asked by the hub when it
 * gets the topic without knowing what came before; answered by rules. Nothing to
 * send is an answer; not known (an error, a time-out) is none: the subscriber is told
 * to re-read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct atom;
struct exposure; /* a snapshot that is being taken; its asker cancels it, its answerer frees it */
struct subscriber;

struct snapshot_event {
    struct bytes type, data; /* the type without CR, LF and NUL */
};

/* The state as events, in order. */
struct snapshot {
    bool known;
    size_t count;
    const struct snapshot_event *events;
};

/* The late answer, once; borrowed until it returns. */
typedef void snapshot_done_f(void *owner, const struct snapshot *snapshot);

struct snapshots {
    /* `done` comes later, never before this returns. The subscriber and the topic's name stay valid until then (the
     * hub cancels first). */
    struct exposure *(*ask)(struct snapshots *snapshots, struct subscriber *subscriber,
                            struct atom *topic, snapshot_done_f *done, void *owner);

    /* Gives it up; `late`: because there was no answer in time, which is the answerer's failure. */
    void (*cancel)(struct snapshots *snapshots, struct exposure *exposure, bool late);
};
