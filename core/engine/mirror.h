/* mirror: stands between an app's rules and the network while other rules run in the
 * live ones' shadow. A request of the shadow's that the live rules make as well, a
 * moment earlier or later, gets the very answer that theirs gets, and is not sent;
 * so nothing is posted twice, and both see the same world. A request that only the
 * shadow makes is sent, a little later, where it can do no harm (GET, HEAD: RFC 9110,
 * 9.2.1), else it fails: what would have come of it nobody knows. Answers are kept for
 * ten seconds, at most 1000 of them and 16 MiB.
 *
 * Without a shadow, live requests go straight through. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/dict.h"
#include "base/list.h"
#include "ports/clock.h"
#include "ports/fetch.h"
#include "ports/later.h"

struct mirror {
    struct fetch live;   /* what live rules are given */
    struct fetch shadow; /* and a shadow's */
    struct fetch *_real;
    struct clock *_clock;
    struct later *_later;
    bool _watching;
    struct list _requests; /* of live rules: under way, or answered lately; the oldest first */
    struct dict _newest;   /* of them, by what was asked */
    uint32_t _kept;
    size_t _bytes;         /* of their answers */
    struct list _asking;   /* of the shadow: wait for one of those */
    struct timer _timer;   /* the next of _asking gives up, or of _requests is old */
    struct job _answer;
    uint64_t unsent; /* the shadow's requests that failed here */
};

void mirror_create(struct mirror *mirror, struct fetch *real, struct clock *clock,
                   struct later *later);

/* No request may be under way. */
void mirror_destroy(struct mirror *mirror);

/* A shadow is there, or no more: then all that was kept goes; its own requests must be cancelled. */
void mirror_watch(struct mirror *mirror, bool watching);
