/* gate: the rate at which a node's links open. A token bucket: `rate` openings
 * a second, and what was not used is saved up to `burst`.
 *
 * Two lanes go through it. First openings may spend the whole burst, since a
 * person waits for each. Openings again keep a distance of 1/rate from each
 * other even when the bucket is full: thousands of links that were lost in one
 * moment come back spread out, and leave the burst to newcomers. Within a lane
 * the order is that of asking; where both lanes wait they take turns, so that
 * neither starves. Each opener's own jitter is its backoff's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ports/clock.h"

enum gate_lane { GATE_FIRST, GATE_AGAIN, GATE_LANES };

struct gate {
    struct clock *_clock;
    uint64_t _rate_per_s, _burst;
    uint64_t _tokens_milli;  /* thousandths of a token: a millisecond brings `rate` of them */
    uint64_t _spacing_milli; /* the same for openings again, with hardly anything saved */
    uint64_t _filled_ms;
    struct list _waiting[GATE_LANES];
    enum gate_lane _turn; /* the lane that goes first where both could */
    bool _serving;
    struct timer _timer;
};

struct gate_pass {
    struct list _node;
    void (*open)(struct gate_pass *pass);
};

/* Both numbers are at least 1; the bucket begins full. */
void gate_create(struct gate *gate, struct clock *clock, uint64_t rate_per_s, uint64_t burst);

/* Other numbers from now on, for those who wait, too. */
void gate_set_rate(struct gate *gate, uint64_t rate_per_s, uint64_t burst);

/* Nobody may wait any more. */
void gate_destroy(struct gate *gate);
void gate_pass_create(struct gate_pass *pass, void (*open)(struct gate_pass *pass));

/* Calls pass->open once: before it returns, if there is a token and nobody of this lane waits,
 * else from the clock when it is this one's turn. `open` may enter again, and leave others. */
void gate_enter(struct gate *gate, struct gate_pass *pass, enum gate_lane lane);

/* Gives the place up; harmless if it has none. */
void gate_leave(struct gate *gate, struct gate_pass *pass);

/* How many wait. O(n), for metrics and specs. */
uint32_t gate_waiting(const struct gate *gate);
