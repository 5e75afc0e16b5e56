/* forgotten: the last places of topics that are gone. A topic that comes back
 * must know what it once had, or a client that resumes would be told that it
 * missed nothing. Bounded: the oldest falls out and raises the floor, which then
 * speaks for every topic that is not in the table. */
#pragma once

#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "hub/lookup.h"

struct forgotten {
    struct lookup _by_name;
    struct list _oldest_first;
    uint32_t _limit;
    uint64_t floor; /* nothing is known of what was lost at or below it */
};

/* `floor`: what this process has given before there was this table. */
void forgotten_create(struct forgotten *forgotten, uint32_t limit, uint64_t floor);
void forgotten_destroy(struct forgotten *forgotten);

/* Another limit; what is above it falls out. */
void forgotten_set_limit(struct forgotten *forgotten, uint32_t limit);

/* Remembers the newest place that a topic lost; takes its own reference of the name. */
void forgotten_put(struct forgotten *forgotten, struct atom *name, uint64_t lost);

/* What a topic of this name must take for lost: what is remembered, which is removed, or the
 * floor. */
uint64_t forgotten_take(struct forgotten *forgotten, struct atom *name);

static inline uint32_t forgotten_count(const struct forgotten *forgotten)
{
    return forgotten->_by_name.count;
}
