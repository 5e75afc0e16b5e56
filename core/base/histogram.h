/* histogram: how long something took, as counts in fixed buckets from 100 us to
 * 10 s, each two to two and a half times the one before: what Prometheus calls a
 * histogram. Fixed, so that those of apps and nodes can be added up, and so that
 * noting costs a short search and three additions. No clock of its own. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 16 };

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* each its own bucket's alone; the last: above all bounds */
    uint64_t count, sum_us, max_us;
};

/* `times` values of this size. */
void histogram_note(struct histogram *histogram, uint64_t us, uint64_t times);

void histogram_add(struct histogram *sum, const struct histogram *more);

/* A bucket's upper bound, itself included; index below HISTOGRAM_BOUNDS. */
uint64_t histogram_bound_us(int index);
