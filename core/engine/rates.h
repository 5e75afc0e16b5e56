/* rates: token buckets by key: how often each address, user or publisher may. A
 * bucket that is full again is forgotten, and so is, where there are more keys than
 * the table takes, the one that was asked for longest ago: a flood of new keys costs
 * the idle ones their memory, and never lets the table grow or shuts anybody out.
 *
 * Keys are the callers': they begin with what is limited, so that two limits never
 * share a bucket. The table outlives reloads; a key whose limit is another one now
 * begins anew. */
#pragma once

#include <stdint.h>

#include "base/bucket.h"
#include "base/bytes.h"
#include "base/dict.h"
#include "base/list.h"

struct rates {
    struct dict _entries;
    struct list _by_use; /* the longest unused first */
    uint32_t _most;
};

void rates_create(struct rates *rates, uint32_t most);
void rates_destroy(struct rates *rates);

/* So many keys at most, from now on. */
void rates_set_most(struct rates *rates, uint32_t most);

/* Takes so many tokens of the key's bucket (see bucket_take_many): 0. Else nothing is taken, and the
 * milliseconds until they are there; UINT64_MAX: never. */
uint64_t rates_take(struct rates *rates, struct bytes key, struct bucket_limit limit,
                    uint32_t count, uint64_t now_ms);

uint32_t rates_count(const struct rates *rates);
