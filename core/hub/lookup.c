/* Open addressing with linear probing. Removal moves later entries of the chain
 * back instead of leaving marks (Knuth, TAOCP 3, 6.4, algorithm R), so that a
 * table that sees millions of things come and go stays as fast as a fresh one.
 * Between an eighth and three quarters of the cells are full. */
#include "hub/lookup.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"

enum { CELLS_MIN = 16 };

void lookup_create(struct lookup *lookup, uint64_t (*hash)(const void *thing))
{
    *lookup = (struct lookup){._hash = hash};
}

void lookup_destroy(struct lookup *lookup)
{
    xfree(lookup->_cells);
    lookup->_cells = NULL;
    lookup->_mask = lookup->count = 0;
}

static void put(struct lookup *lookup, void *thing)
{
    uint32_t at = (uint32_t)lookup->_hash(thing) & lookup->_mask;
    while (lookup->_cells[at]) at = (at + 1) & lookup->_mask;
    lookup->_cells[at] = thing;
}

static void resize(struct lookup *lookup, uint32_t cells)
{
    void **old = lookup->_cells;
    uint32_t old_cells = old ? lookup->_mask + 1 : 0;
    lookup->_cells = xcalloc(cells, sizeof(*lookup->_cells));
    lookup->_mask = cells - 1;
    for (uint32_t at = 0; at < old_cells; at++)
        if (old[at]) put(lookup, old[at]);
    xfree(old);
}

void *lookup_find(const struct lookup *lookup, uint64_t hash,
                  bool (*is)(const void *thing, const void *key), const void *key)
{
    if (!lookup->_cells) return NULL;
    uint32_t at = (uint32_t)hash & lookup->_mask;
    for (void *thing; (thing = lookup->_cells[at]); at = (at + 1) & lookup->_mask)
        if (is(thing, key)) return thing;
    return NULL;
}

void lookup_add(struct lookup *lookup, void *thing)
{
    uint32_t cells = lookup->_cells ? lookup->_mask + 1 : 0;
    if (lookup->count >= cells / 4 * 3) resize(lookup, cells ? cells * 2 : CELLS_MIN);
    put(lookup, thing);
    lookup->count++;
}

static uint32_t place_of(const struct lookup *lookup, const void *thing)
{
    CHECK(lookup->_cells);
    uint32_t at = (uint32_t)lookup->_hash(thing) & lookup->_mask;
    while (lookup->_cells[at] != thing) {
        CHECK(lookup->_cells[at]);
        at = (at + 1) & lookup->_mask;
    }
    return at;
}

void lookup_remove(struct lookup *lookup, const void *thing)
{
    uint32_t hole = place_of(lookup, thing);
    uint32_t mask = lookup->_mask;
    for (uint32_t at = (hole + 1) & mask; lookup->_cells[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)lookup->_hash(lookup->_cells[at]) & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue; /* its chain begins behind it */
        lookup->_cells[hole] = lookup->_cells[at];
        hole = at;
    }
    lookup->_cells[hole] = NULL;
    lookup->count--;
    if (mask >= CELLS_MIN && lookup->count < (mask + 1) / 8) resize(lookup, (mask + 1) / 2);
}

void lookup_replace(struct lookup *lookup, const void *old, void *thing)
{
    lookup->_cells[place_of(lookup, old)] = thing;
}

void *lookup_next(const struct lookup *lookup, uint32_t *at)
{
    while (lookup->_cells && *at <= lookup->_mask) {
        void *thing = lookup->_cells[(*at)++];
        if (thing) return thing;
    }
    return NULL;
}
