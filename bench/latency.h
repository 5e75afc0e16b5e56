/* latency: a histogram of latencies: 32 steps to the power of two, so a percentile is right
 * within 3 %, from a nanosecond to centuries, in 16 KB. */
#pragma once

#include <stdint.h>

enum { LATENCY_STEPS = 32, LATENCY_BUCKETS = 64 * LATENCY_STEPS };

struct latency {
    uint64_t samples;
    uint64_t max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_reset(struct latency *latency);
void latency_add(struct latency *latency, uint64_t ns);

/* The value that `share` (0 to 1) of the samples do not exceed; 0 without samples. */
uint64_t latency_percentile_ns(const struct latency *latency, double share);
