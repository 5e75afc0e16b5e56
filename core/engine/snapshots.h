/* snapshots: answers the hub with what topics declare as their `snapshot`: a hook that
 * makes the state of a topic for one subscriber (hub/snapshot.h).
 *
 * It is called at the end of the turn, never from within the hub: so it may ask about
 * the app, and sees what the turn has brought. */
#pragma once

#include "base/list.h"
#include "ports/later.h"
#include "ports/snapshot.h"

struct generation;

struct rule_snapshots {
    struct snapshots port; /* what the hub is given */
    struct generation *const *_generation;
    struct later *_later;
    struct list _due; /* exposures that have not begun; at most one for each slot that waits */
    struct job _job;
};

/* `generation`: the app's, as it is whenever somebody is asked. */
void rule_snapshots_create(struct rule_snapshots *snapshots, struct later *later,
                           struct generation *const *generation);

/* Nothing may be asked any more. */
void rule_snapshots_destroy(struct rule_snapshots *snapshots);
