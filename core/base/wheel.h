/* wheel: the timers of one clock, in milliseconds; arming and disarming are
 * O(1) however many there are. Hierarchical, 4 levels of 64 slots of 1 ms,
 * 64 ms, 4 s and 4 min (about 4.6 hours; later ones wait in a list of their own
 * and are sorted in again): Varghese and Lauck, "Hashed and hierarchical timing
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

enum {
    WHEEL_BITS = 6, /* of the time that one level tells apart */
    WHEEL_SLOTS = 1 << WHEEL_BITS,
    WHEEL_LEVELS = 4,
    WHEEL_BEYOND = WHEEL_LEVELS * WHEEL_SLOTS, /* behind the slots: what no level reaches yet, */
    WHEEL_OVERDUE,                             /* what was armed too late, */
    WHEEL_FIRING,                              /* and what fires at this millisecond */
    WHEEL_LISTS
};

/* Not to be moved once created: its lists are circular. */
struct wheel {
    struct list _lists[WHEEL_LISTS];
    uint64_t _occupied[WHEEL_LEVELS + 1]; /* a bit for every list that is not empty */
    uint64_t _now_ms;
    uint64_t _until_ms;  /* where the advance at hand ends; else _now_ms */
    uint64_t _beyond_ms; /* no timer in WHEEL_BEYOND is due before this */
    bool _advancing;
    uint32_t count; /* armed timers */
};

void wheel_create(struct wheel *wheel, uint64_t now_ms);

/* A zeroed timer must be created once before any other call. */
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
bool timer_armed(const struct timer *timer);

/* Arms, or moves, the timer. A due time that is not in the future is taken for the present one,
 * and fires at the next advance; armed so from `fire`, it fires at the end of the advance at
 * hand, or at the next one if that is where it stands: no timer can hold an advance for ever. */
void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t due_ms);
void wheel_disarm(struct wheel *wheel, struct timer *timer);

/* Fires everything due at or before now_ms; a now_ms before the last one is taken for that. Not
 * to be called from `fire`. */
void wheel_advance(struct wheel *wheel, uint64_t now_ms);

/* When to call wheel_advance next: a time at or before the earliest due time; UINT64_MAX
 * when nothing is armed. */
uint64_t wheel_next(const struct wheel *wheel);
