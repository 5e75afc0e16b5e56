#include "latency.h"

#include <string.h>

enum { STEP_BITS = 5 }; /* log2 of LATENCY_STEPS */

static unsigned bucket_of(uint64_t ns)
{
    if (ns < LATENCY_STEPS) return (unsigned)ns;

    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    unsigned shift = top - STEP_BITS;

    return (shift + 1) * LATENCY_STEPS + (unsigned)(ns >> shift) - LATENCY_STEPS;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < LATENCY_STEPS) return bucket;

    unsigned shift = bucket / LATENCY_STEPS - 1;
    uint64_t step = bucket % LATENCY_STEPS + LATENCY_STEPS;

    return ((step + 1) << shift) - 1;
}

void latency_reset(struct latency *latency)
{
    memset(latency, 0, sizeof *latency);
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->samples++;
    if (ns > latency->max_ns) latency->max_ns = ns;
    latency->buckets[bucket_of(ns)]++;
}

uint64_t latency_percentile_ns(const struct latency *latency, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)latency->samples);
    uint64_t seen = 0;

    if (wanted >= latency->samples) return latency->max_ns;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > wanted) return bucket_end(i) < latency->max_ns ? bucket_end(i) : latency->max_ns;
    }
    return latency->max_ns;
}
