#include "upstream/backoff.h"

void backoff_create(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms)
{
    *backoff = (struct backoff){.min_ms = min_ms, .max_ms = max_ms};
}

void backoff_limits(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms)
{
    backoff->min_ms = min_ms;
    backoff->max_ms = max_ms;
}

void backoff_retry(struct backoff *backoff, uint64_t retry_ms)
{
    backoff->retry_ms = retry_ms;
}

uint64_t backoff_ceiling_ms(const struct backoff *backoff)
{
    uint64_t base = backoff->retry_ms > backoff->min_ms ? backoff->retry_ms : backoff->min_ms;
    uint64_t ceiling = base;
    for (uint32_t i = 0; i < backoff->failures && ceiling < backoff->max_ms; i++) {
        if (ceiling == 0) break;
        ceiling *= 2; /* cannot wrap: it was below max, which is a delay in milliseconds */
    }
    if (ceiling > backoff->max_ms) ceiling = backoff->max_ms;
    return ceiling > BACKOFF_FLOOR_MS ? ceiling : BACKOFF_FLOOR_MS;
}

uint64_t backoff_next_ms(struct backoff *backoff, struct random *random)
{
    uint64_t delay = random_below(random, backoff_ceiling_ms(backoff) + 1);
    backoff->failures++;
    return delay > BACKOFF_FLOOR_MS ? delay : BACKOFF_FLOOR_MS;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
