/* joint: what makes a node one of several on the same Redis: the cluster's parts, and the node's one order, which
 * says what was heard of each server. A node by itself has none.
 *
 * Cursors carry the secrets of all servers' epochs, so any node reads what another wrote. Of an epoch that is over
 * they say nothing any more, but what they say of the other servers counts on. As long as a server was never entered
 * there are no cursors: nobody can attach, which joint_is_whole says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/list.h"
#include "cluster/announcements.h"
#include "cluster/claims.h"
#include "cluster/cluster.h"
#include "cluster/trunk.h"
#include "ports/later.h"

struct order;
struct places;

/* An app's carrier, which hears of the servers. Embedded in its owner; told in the order of adding. */
struct joint_member {
    struct list _node;
    /* The server was entered: what is published now goes out. */
    void (*here)(struct joint_member *member, uint32_t server);
};

/* The parts are for whoever has the joint to use, and its own to free. */
struct joint {
    struct cluster *cluster;
    struct trunk *trunk;
    struct claims *claims;
    struct announcements *announcements;
    struct order *_order;
    struct list _members;
};

/* NULL: one of the urls is none; a sentence in error. The order, the node's, is shared from now on, and outlives the
 * joint, like what the ports point to. */
struct joint *joint_new(const struct cluster_ports *ports, struct later *later, struct order *order,
                        const char *const *urls, size_t count, struct bytes prefix,
                        struct buf *error);

/* All apps are gone. */
void joint_free(struct joint *joint);

void joint_add(struct joint *joint, struct joint_member *member);
void joint_remove(struct joint_member *member);

/* Asks each server how far it is, ahead of the next beat; once for many who ask. */
void joint_catch_up(struct joint *joint);

/* The places up to which this node knows of triggers: it has heard them, or has published them itself and they are
 * still on their way back to it. */
void joint_reaches(const struct joint *joint, struct places *places);

/* Every server was entered once: cursors can be written. */
bool joint_is_whole(const struct joint *joint);
