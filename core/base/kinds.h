/* kinds: how many there are of each kind, kinds being any bytes: connections of an
 * address, say. A kind that nothing is of any more is forgotten, so there are at most
 * as many kinds as things that are counted. */
#pragma once

#include <stdint.h>

#include "base/dict.h"

struct kinds {
    struct dict _by_name;
};

struct kind; /* what each thing that is counted keeps, to leave again */

#define KINDS_EMPTY ((struct kinds){DICT_EMPTY})

/* Nobody may be in it. */
void kinds_destroy(struct kinds *kinds);

/* One more of the kind of this name, which is copied; NULL: there are `most` already. */
struct kind *kinds_enter(struct kinds *kinds, struct bytes name, uint32_t most);

/* One less; NULL is none. */
void kinds_leave(struct kinds *kinds, struct kind *kind);
