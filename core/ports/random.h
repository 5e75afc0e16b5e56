/* random: where unpredictability comes from: the kernel, or a seed in specs. */
#pragma once

#include <stdint.h>

struct random {
    uint64_t (*next)(struct random *random); /* 64 uniform bits */
};

/* Uniform in [0, below); below > 0. The bias of the modulo is under below / 2^64. */
static inline uint64_t random_below(struct random *random, uint64_t below)
{
    return random->next(random) % below;
}
