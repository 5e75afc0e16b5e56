#include "hub/latency.h"

#include "ports/clock.h"

void latency_note(struct latency *latency, const struct clock *clock, uint64_t placed_us,
                  uint32_t writes)
{
    const uint32_t last = latency->count - 1;
    if (latency->count && latency->noted[last].placed_us == placed_us) {
        latency->noted[last].writes += writes;
        return;
    }
    if (latency->count == LATENCY_NOTED) latency_settle(latency, clock);
    latency->noted[latency->count].placed_us = placed_us;
    latency->noted[latency->count++].writes = writes;
}

void latency_settle(struct latency *latency, const struct clock *clock)
{
    if (!latency->count) return;
    const uint64_t now_us = clock_read_us(clock);
    for (uint32_t i = 0; i < latency->count; i++)
        histogram_note(latency->histogram, now_us - latency->noted[i].placed_us,
                       latency->noted[i].writes);
    latency->count = 0;
}
