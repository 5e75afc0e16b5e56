/* clock: the time, and the one timer wheel. The loop's adapter sets the times
 * once a turn and advances the wheel; the rig does it with virtual time. */
#pragma once

#include <stdint.h>

#include "base/wheel.h"

struct clock {
    uint64_t now_ms;  /* monotonic */
    uint64_t wall_ms; /* since 1970-01-01 UTC */
    struct wheel wheel;
    uint64_t turn_us; /* the moment of now_ms, exactly; 0: it is exact */
    uint64_t (*read_us)(void); /* what it is by now, within the turn; NULL: time stands still in one */
};

/* For measuring alone: when the turn began, and what time it is. */
static inline uint64_t clock_turn_us(const struct clock *clock)
{
    return clock->turn_us ? clock->turn_us : clock->now_ms * 1000;
}

static inline uint64_t clock_read_us(const struct clock *clock)
{
    return clock->read_us ? clock->read_us() : clock_turn_us(clock);
}

static inline void clock_after(struct clock *clock, struct timer *timer, uint64_t delay_ms)
{
    wheel_arm(&clock->wheel, timer, clock->now_ms + delay_ms);
}

static inline void clock_cancel(struct clock *clock, struct timer *timer)
{
    wheel_disarm(&clock->wheel, timer);
}
