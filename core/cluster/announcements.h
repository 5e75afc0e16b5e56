/* announcements: what concerns all nodes at once and no topic - a user is sent away, what was answered about
 * somebody counts no more -, told to all of them in one order, which the first server gives.
 *
 * A node that is off from the server hears nothing, and a channel may lose. So each announcement has a number and names
 * the one before it, and stands in a log of the server for an hour, of the newest thousands; a node that comes back, or
 * sees that one is missing, reads what it missed. Where the log does not reach back so far, or was lost with its epoch,
 * who listens is told that something was.
 *
 * What is announced while the server is away waits, bounded, and goes out in its order when it is here again. After an
 * answer that did not come it goes out once more: what is announced must bear to be heard twice. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "cluster/cluster.h"

enum { ANNOUNCEMENTS_WAITING = 1000 }; /* above, the oldest is dropped, which is logged, once a minute */

struct announcements;

/* Who hears what is announced under a name, by other nodes. Embedded in its owner; the name is borrowed, and has no
 * space. */
struct announced {
    struct list _node;
    struct bytes name;
    /* age_ms: since it was announced; 0: just now. A node that starts hears those of the last minute, with `early`:
     * whom they meant was not here. */
    void (*heard)(struct announced *announced, struct bytes payload, uint64_t age_ms, bool early);
    void (*lost)(struct announced *announced); /* something was announced that this node will not hear */
};

struct announcements *announcements_new(struct cluster *cluster, const struct cluster_ports *ports);

/* Nobody hears any more. What waits is not announced. */
void announcements_free(struct announcements *announcements);

void announcements_hear(struct announcements *announcements, struct announced *announced);
void announcements_hear_no_more(struct announced *announced);

/* Copied. The node that announces does not hear it. */
void announce(struct announcements *announcements, struct bytes name, struct bytes payload);
