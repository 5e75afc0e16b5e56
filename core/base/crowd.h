/* crowd: how many there are of each kind, kinds being any bytes: connections of an
 * address, say. A kind that nothing is of any more is forgotten, so there are at most
 * as many kinds as things that are counted. */
#pragma once

#include <stdint.h>

#include "base/dict.h"

struct crowd {
    struct dict _counts;
};

struct crowd_count; /* what one thing that is counted keeps, to leave again */

#define CROWD_EMPTY ((struct crowd){DICT_EMPTY})

/* Nobody may be in it. */
void crowd_destroy(struct crowd *crowd);

/* One more of this kind; NULL: there are `most` already. */
struct crowd_count *crowd_enter(struct crowd *crowd, struct bytes kind, uint32_t most);

/* One less; NULL is none. */
void crowd_leave(struct crowd *crowd, struct crowd_count *count);

uint32_t crowd_of(const struct crowd *crowd, struct bytes kind);
