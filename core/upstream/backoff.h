/* backoff: how long to wait after a failure. Exponential with full jitter: a
 * delay is uniform in [0, min(max, base * 2^n)], n the failures before it (Marc
 * Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so
 * that what failed together does not come back together. The base is the
 * owner's `min`, or what the server asked for with `retry:` if that is more.
 *
 * A floor under it keeps an unlucky row of draws from becoming a busy loop. */
#pragma once

#include <stdint.h>

#include "ports/random.h"

enum { BACKOFF_FLOOR_MS = 50 };

struct backoff {
    uint64_t min_ms, max_ms;
    uint64_t retry_ms; /* the server's wish, 0: none */
    uint32_t failures; /* since the last reset */
};

void backoff_create(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms);

/* Other limits for what comes next; failures and the server's wish stay. */
void backoff_limits(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms);

/* The server's `retry:`; the last one counts. */
void backoff_retry(struct backoff *backoff, uint64_t retry_ms);

/* What the next delay is at most. */
uint64_t backoff_ceiling_ms(const struct backoff *backoff);

/* One more failure: draws the delay after it. */
uint64_t backoff_next_ms(struct backoff *backoff, struct random *random);

/* It works again: the next failure is the first. */
void backoff_reset(struct backoff *backoff);
