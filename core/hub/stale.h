/* stale: topics of which a subscriber was denied something because nobody knew
 * whether it may have it. It is told to re-read, once, when the verdict is known
 * again: by a yes to a later trigger, or to the withheld one, which is asked again,
 * paced. A no to the withheld one, if it was the only one, ends the matter: there
 * was nothing to miss.
 *
 * The client's cursor passes what was withheld. So that a client which goes away
 * before it is told, or in the moment of it, is told when it comes back, the hub
 * keeps (user, topic, the positions between which the client did not know): `told`,
 * bounded; what falls out raises a floor. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "hub/lookup.h"

struct frame;
struct subscriber;
struct topic;

struct told {
    struct lookup _by_key;
    struct list _oldest_first;
    uint64_t _floor;
};

void told_create(struct told *told);
void told_destroy(struct told *told);

/* Whether a client of this user, whose cursor stands at `position`, may not have been told that
 * something of the topic was withheld. */
bool told_concerns(const struct told *told, struct atom *user, struct atom *topic,
                   uint64_t position);

/* The frame was withheld from the subscriber. */
void stale_mark(struct subscriber *subscriber, struct topic *topic, struct frame *frame);

/* The topic's verdict is yes again: ends the mark; true if there was one, and the subscriber must
 * be told now. */
bool stale_settle(struct subscriber *subscriber, struct topic *topic);

/* It leaves the topic, or (topic NULL) ends: marks go, and what an ended one was not told of is
 * remembered. */
void stale_drop(struct subscriber *subscriber, struct topic *topic);
