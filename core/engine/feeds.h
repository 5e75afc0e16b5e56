/* feeds: an app's links and what they bring. A feed is one key of one declared
 * upstream: its link, its leases, and the events that wait for their handler,
 * which are handled in order, one at a time; other keys run beside.
 *
 * What the rules missed is told: a reopened link, a full queue that the upstream
 * outran and a handler that failed each end in a resync to the upstream's topic
 * (or to the leaseholders, where it has none). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/dict.h"
#include "base/list.h"
#include "cluster/cluster.h"
#include "engine/renewal.h"
#include "plan/plan.h"
#include "upstream/link.h"

struct app;
struct feed;
struct seat;

struct feeds_counters {
    uint64_t events, unhandled, failed, opened, lost;
};

void feeds_counters_add(struct feeds_counters *sum, const struct feeds_counters *more);

struct feeds {
    struct app *_app;
    struct dict _by_key; /* "upstream name" NUL key: those that have a link */
    struct list _all;
    struct feeds_counters counters;
    struct renewals renewals;
    struct cluster_letters _told; /* engine/tenure.h; only where nodes share links */
};

/* One subscriber's hold on a feed. Embedded in its seat's leases. */
struct lease {
    struct list _node;
    struct feed *feed; /* NULL: not held */
    struct seat *seat;
    bool _early; /* taken before the link's first opening, and not told of it yet */
};

void feeds_create(struct feeds *feeds, struct app *app);

/* Needs feeds_idle. */
void feeds_destroy(struct feeds *feeds);

/* Takes the lease, opening the link if it is the first; the upstream is one of the app's current
 * generation. False: the node has too many links. */
bool feeds_lease(struct feeds *feeds, const struct plan_upstream *upstream, struct bytes key,
                 struct seat *seat, struct lease *lease);

/* Its seat's subscriber has begun. If the link opened for the first time in the same moment, one
 * that `resumes` is told to re-read: nobody knows what came before. */
void lease_begin(struct lease *lease, bool resumes);

/* Gives it back; harmless if it is not held. */
void lease_release(struct lease *lease);

/* Moves the hold, if it is one, to another place in memory. */
void lease_move(struct lease *lease, struct lease *to);

/* The app has another generation: the link and what waits for a handler stay with the
 * upstream of the same name; without one the link closes. */
void feeds_swap(struct feeds *feeds);

/* Closes every link now (drain). */
void feeds_close(struct feeds *feeds);

/* No link, and nothing that one brought still waits for its handler or is with it. */
bool feeds_idle(const struct feeds *feeds);

void feeds_each(struct feeds *feeds,
                void (*each)(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                             struct link *link),
                void *ctx);
