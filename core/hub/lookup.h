/* lookup: finds things by a hash that they carry themselves, in one array of
 * pointers: eight bytes a cell and no memory per entry. The hub's names are
 * atoms, so keys are compared by pointer. Owns nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lookup {
    void **_cells; /* NULL while nothing was added */
    uint32_t _mask, count;
    uint64_t (*_hash)(const void *thing);
};

void lookup_create(struct lookup *lookup, uint64_t (*hash)(const void *thing));
void lookup_destroy(struct lookup *lookup);

/* The thing of this hash that `is` says is meant; NULL: none. */
void *lookup_find(const struct lookup *lookup, uint64_t hash,
                  bool (*is)(const void *thing, const void *key), const void *key);

/* Not to be called with what is there already. */
void lookup_add(struct lookup *lookup, void *thing);

/* The thing must be there, and still have the hash that it was added with. */
void lookup_remove(struct lookup *lookup, const void *thing);

/* Puts `thing`, which has the same hash, in the place of `old`. */
void lookup_replace(struct lookup *lookup, const void *old, void *thing);

/* Walks all things: start with *at = 0; NULL at the end. Nothing may be added or removed on the
 * way. */
void *lookup_next(const struct lookup *lookup, uint32_t *at);

/* One hash of two. */
static inline uint64_t lookup_mix(uint64_t a, uint64_t b)
{
    return (a ^ (b << 23 | b >> 41)) * 0x9e3779b97f4a7c15u;
}
