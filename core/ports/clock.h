/* clock: the time, and the one timer wheel. The loop's adapter sets the times
 * once a turn and advances the wheel; the rig does it with virtual time. */
#pragma once

#include <stdint.h>

#include "base/wheel.h"

struct clock {
    uint64_t now_ms;  /* monotonic */
    uint64_t wall_ms; /* since 1970-01-01 UTC */
    struct wheel wheel;
};

static inline void clock_after(struct clock *clock, struct timer *timer, uint64_t delay_ms)
{
    wheel_arm(&clock->wheel, timer, clock->now_ms + delay_ms);
}

static inline void clock_cancel(struct clock *clock, struct timer *timer)
{
    wheel_disarm(&clock->wheel, timer);
}
