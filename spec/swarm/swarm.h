/* swarm: what the parts of the swarm share: the nodes, the ledger, dice, and what is counted.
 *
 * The swarm is thousands of subscribers, the publishers of what they are to be shown, and the
 * upstream whose events they are to be shown, in one process: so each subscriber's trigger can be
 * held against what was sent, at the moment in which it comes. It plays with nodes that are killed,
 * stopped and cut off by somebody else. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/loop.h"
#include "spec/swarm/ledger.h"

enum { SWARM_NODES = 8, SWARM_FAULTS = 20 };

/* Counted by name, told by `state`. */
#define SWARM_COUNTS(X)                                                                            \
    X(connects)                                                                                    \
    X(refused)                                                                                     \
    X(statuses)                                                                                    \
    X(ends)                                                                                        \
    X(cuts) X(resumed) X(not_resumed) X(resyncs) X(resync_epoch) X(resync_history)                 \
        X(resync_lagged) X(resync_upstream) X(resync_other) X(published) X(acknowledged)           \
            X(duplicates) X(unanswered) X(publishes_refused) X(publishes_lost) X(holes) X(doubles) \
                X(strangers) X(links) X(links_resumed) X(links_cut) X(overlaps)                    \
                    X(overlaps_excused) X(reads) X(reads_again) X(reads_refused) X(events)

struct swarm_counts {
#define X(name) uint64_t name;
    SWARM_COUNTS(X)
#undef X
};

struct swarm {
    struct loop loop;
    struct ledger ledger;
    struct sockaddr_in nodes[SWARM_NODES];
    unsigned node_count;
    struct topic *rooms, *users; /* a user's topic holds the events of the upstream for that user */
    unsigned room_count, user_count;
    bool linked; /* do the subscribers lease their user's link? */
    const char *path;
    uint64_t now_ms;
    struct swarm_counts counts;
    char faults[SWARM_FAULTS][256]; /* the first ones, as sentences */
    unsigned fault_count;
    uint64_t _dice;
};

void swarm_roll(struct swarm *swarm, uint32_t seed);

/* A whole number below `below`. */
uint32_t swarm_random(struct swarm *swarm, uint32_t below);

/* The next time of something that occurs every mean_ms or so; never where that is 0. */
uint64_t swarm_next(struct swarm *swarm, uint32_t mean_ms);

/* Something was seen that must not be. */
void swarm_fault(struct swarm *swarm, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
