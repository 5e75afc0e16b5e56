/* finals: streams that were ended for good. `EventSource` comes back from every end
 * but one: an answer of 204. So for a minute it is known who was ended so, by
 * stream, user and session tag, and a new request of the same gets that answer.
 *
 * Bounded in time and number: above FINALS_MAX the oldest is forgotten, and its
 * client is served like any that comes back. What really must stay shut is for
 * identities and `subscribe` to say; this only stops a client's machinery. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "hub/lookup.h"

enum { FINALS_MAX = 4096, FINALS_FOR_MS = 60000 };

struct finals {
    struct lookup _by_key;
    struct list _oldest_first;
};

void finals_create(struct finals *finals);
void finals_destroy(struct finals *finals);

/* From now on for a minute. user and tag may be NULL, but not both: nobody knows then who is meant, and nothing
 * is kept. Takes references of its own. */
void finals_add(struct finals *finals, struct atom *stream, struct atom *user, struct atom *tag,
                uint64_t now_ms);

bool finals_has(struct finals *finals, const struct atom *stream, const struct atom *user,
                const struct atom *tag, uint64_t now_ms);
