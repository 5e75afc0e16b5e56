/* standing: how a subscriber stands to a trigger, for who asks afterwards. Reads
 * the hub as it is and keeps nothing, so that nothing is paid until then. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"

struct hub;
struct subscriber;
struct topic;

enum standing {
    STANDING_ABSENT,  /* it does not have the topic */
    STANDING_LATER,   /* it has, but only since after the trigger took its place */
    STANDING_RESUMED, /* the same, but if it is newer than its cursor it was replayed to it */
    STANDING_COMING,  /* the fan-out has not come to it yet */
    STANDING_PENDING, /* in its queue, with an open verdict */
    STANDING_QUEUED,  /* in its queue */
    STANDING_PAST /* it was offered to it and waits no more: it went out, unless the journal says
                     why not */
};

/* `topic`: the name of the trigger's. */
enum standing standing_of(struct subscriber *subscriber, const struct atom *topic,
                          uint64_t position);

/* The topic's subscribers; stops when `each` returns false. `each` may not change the hub. */
void standing_each(struct topic *topic, bool (*each)(void *ctx, struct subscriber *subscriber),
                   void *ctx);
