/* census: what a node counts over all its apps - who is in, who was refused, why
 * streams ended - and how many there may be. The node owns it; its apps count in
 * it, so that none of them needs to know the node. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/refusal.h"
#include "engine/toll.h"
#include "hub/hub.h"

struct census {
    uint32_t streams_max, links_max;
    bool closed;      /* the node drains: nobody comes in any more */
    uint32_t streams; /* seats: open, or on their way in */
    uint32_t links;
    struct toll toll;
    uint64_t requests, not_found, cross_site;
    uint64_t publishes, published_events, publish_duplicates, publishes_refused;
    uint64_t events_dropped; /* that a handler gave up: nothing to make sense of */
    uint64_t publishes_limited; /* of the refused: more than their publisher's rate */
    uint64_t ingest_events; /* that got to their handlers, however those ended */
    uint64_t routes_limited; /* requests of routes answered with 429 */
    uint64_t refused[REFUSED_REASONS];
    uint64_t ends[END_REASONS];
};

/* False: the node takes no more streams, or drains. */
static inline bool census_has_room(const struct census *census)
{
    return !census->closed && census->streams < census->streams_max;
}

/* One stream more, if there is room. */
static inline bool census_enter(struct census *census)
{
    if (!census_has_room(census)) return false;
    census->streams++;
    return true;
}

static inline void census_leave(struct census *census)
{
    census->streams--;
}

/* May one more link be opened? */
static inline bool census_links_left(const struct census *census)
{
    return census->links < census->links_max;
}
