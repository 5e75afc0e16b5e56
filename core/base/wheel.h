/* wheel: the timers of one clock, in milliseconds; arming and disarming are
 * O(1) however many there are. Hierarchical, 4 levels of 64 slots of 1 ms,
 * 64 ms, 4 s and 4 min (about 4.6 hours; later ones are parked in the last slot
 * and sorted in again): Varghese and Lauck, "Hashed and hierarchical timing
 * wheels", 1987.
 *
 * A timer is embedded in what it belongs to. Firing disarms first, so a timer
 * may arm itself again, or free its owner, from `fire`. Timers that are due at
 * different milliseconds fire in order of their due times, also when one
 * wheel_advance covers many; equal ones in the order of arming. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct timer {
    struct list _node;
    uint64_t due_ms;
    void (*fire)(struct timer *timer);
};

struct wheel {
    struct list _slots[4][64];
    uint64_t _now_ms;
    uint32_t count; /* armed timers */
};

void wheel_create(struct wheel *wheel, uint64_t now_ms);

/* A zeroed timer must be created once before any other call. */
void timer_create(struct timer *timer, void (*fire)(struct timer *timer));
bool timer_armed(const struct timer *timer);

/* Arms, or moves, the timer; a due time in the past fires at the next advance. */
void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t due_ms);
void wheel_disarm(struct wheel *wheel, struct timer *timer);

/* Fires everything due at or before now_ms. */
void wheel_advance(struct wheel *wheel, uint64_t now_ms);

/* When to call wheel_advance next: a time at or before the earliest due time; UINT64_MAX
 * when nothing is armed. */
uint64_t wheel_next(const struct wheel *wheel);
