/* latency: how long triggers take from their place in the order to the kernel. A
 * write is noted with the time of the oldest trigger in it, and the clock is read
 * once for many writes: at the end of a piece of fan-out, or of a round of flushes.
 * What is replayed is not noted: its age says nothing about this node. */
#pragma once

#include <stdint.h>

#include "base/histogram.h"

struct clock;

enum { LATENCY_NOTED = 32 };

struct latency {
    uint32_t count;
    struct {
        uint64_t placed_us, writes;
    } noted[LATENCY_NOTED];
    struct histogram *histogram; /* where it goes */
};

/* So many writes whose oldest trigger took its place then have been handed over. */
void latency_note(struct latency *latency, const struct clock *clock, uint64_t placed_us,
                  uint32_t writes);

/* What was noted so far has been handed over by now. */
void latency_settle(struct latency *latency, const struct clock *clock);
