/* gate: how many links of a node may open at once. Thousands that are lost in
 * one moment come back at `rate` a second, in order of asking, with at most
 * `burst` at a time; each openers' own jitter is the link's. */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "ports/clock.h"

struct gate {
    struct clock *_clock;
    uint64_t _rate_per_s, _burst;
    uint64_t _tokens_milli; /* thousandths of a token */
    uint64_t _filled_ms;
    struct list _waiting;
    struct timer _timer;
};

struct gate_pass {
    struct list _node;
    void (*open)(struct gate_pass *pass);
};

void gate_create(struct gate *gate, struct clock *clock, uint64_t rate_per_s, uint64_t burst);
void gate_destroy(struct gate *gate);
void gate_pass_create(struct gate_pass *pass, void (*open)(struct gate_pass *pass));

/* Calls pass->open at once if there is a token and nobody waits, else when it is this one's turn. */
void gate_enter(struct gate *gate, struct gate_pass *pass);
void gate_leave(struct gate *gate, struct gate_pass *pass);
