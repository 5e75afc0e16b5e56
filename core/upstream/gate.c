#include "upstream/gate.h"

#include "base/check.h"

enum { TOKEN_MILLI = 1000 };

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* Openings again may save what one tick of the clock brings, or one token if that is more. */
static uint64_t spacing_limit(const struct gate *gate)
{
    return gate->_rate_per_s > TOKEN_MILLI ? gate->_rate_per_s : TOKEN_MILLI;
}

static void refill(struct gate *gate)
{
    uint64_t now = gate->_clock->now_ms;
    uint64_t full = gate->_burst * TOKEN_MILLI;
    uint64_t passed = at_most(now - gate->_filled_ms, full + TOKEN_MILLI); /* more fills it, too */
    uint64_t brought = passed * gate->_rate_per_s;
    gate->_filled_ms = now;
    gate->_tokens_milli = at_most(gate->_tokens_milli + brought, full);
    gate->_spacing_milli = at_most(gate->_spacing_milli + brought, spacing_limit(gate));
}

/* How many thousandths the first of a lane still lacks; 0: it may pass. */
static uint64_t lacking(const struct gate *gate, enum gate_lane lane)
{
    uint64_t has = gate->_tokens_milli;
    if (lane == GATE_AGAIN) has = at_most(has, gate->_spacing_milli);
    return has < TOKEN_MILLI ? TOKEN_MILLI - has : 0;
}

static bool may_pass(const struct gate *gate, enum gate_lane lane)
{
    return !list_empty(&gate->_waiting[lane]) && !lacking(gate, lane);
}

static void pass_one(struct gate *gate, enum gate_lane lane)
{
    struct gate_pass *pass = CONTAINER(gate->_waiting[lane].next, struct gate_pass, _node);
    list_remove(&pass->_node);
    gate->_tokens_milli -= TOKEN_MILLI;
    if (lane == GATE_AGAIN) gate->_spacing_milli -= TOKEN_MILLI;
    gate->_turn = lane == GATE_FIRST ? GATE_AGAIN : GATE_FIRST;
    pass->open(pass);
}

static void arm(struct gate *gate)
{
    uint64_t least = UINT64_MAX;
    for (int lane = 0; lane < GATE_LANES; lane++)
        if (!list_empty(&gate->_waiting[lane])) least = at_most(lacking(gate, lane), least);
    if (least == UINT64_MAX)
        clock_cancel(gate->_clock, &gate->_timer);
    else
        clock_after(gate->_clock, &gate->_timer,
                    (least + gate->_rate_per_s - 1) / gate->_rate_per_s);
}

/* Lets through whom the tokens allow. What enters meanwhile is served by the loop at hand, so
 * that an opener that fails at once cannot recurse. */
static void serve(struct gate *gate)
{
    if (gate->_serving) return;
    gate->_serving = true;
    refill(gate);
    for (;;) {
        enum gate_lane other = gate->_turn == GATE_FIRST ? GATE_AGAIN : GATE_FIRST;
        if (may_pass(gate, gate->_turn))
            pass_one(gate, gate->_turn);
        else if (may_pass(gate, other))
            pass_one(gate, other);
        else
            break;
    }
    gate->_serving = false;
    arm(gate);
}

static void on_timer(struct timer *timer)
{
    serve(CONTAINER(timer, struct gate, _timer));
}

void gate_create(struct gate *gate, struct clock *clock, uint64_t rate_per_s, uint64_t burst)
{
    CHECK(rate_per_s > 0 && burst > 0);
    *gate = (struct gate){._clock = clock,
                          ._rate_per_s = rate_per_s,
                          ._burst = burst,
                          ._tokens_milli = burst * TOKEN_MILLI,
                          ._filled_ms = clock->now_ms};
    gate->_spacing_milli = spacing_limit(gate);
    for (int lane = 0; lane < GATE_LANES; lane++) list_create(&gate->_waiting[lane]);
    timer_init(&gate->_timer, on_timer);
}

void gate_set_rate(struct gate *gate, uint64_t rate_per_s, uint64_t burst)
{
    CHECK(rate_per_s > 0 && burst > 0);
    refill(gate); /* what was brought so far came at the old rate */
    gate->_rate_per_s = rate_per_s;
    gate->_burst = burst;
    serve(gate);
}

void gate_destroy(struct gate *gate)
{
    CHECK(gate_waiting(gate) == 0);
    clock_cancel(gate->_clock, &gate->_timer);
}

void gate_pass_create(struct gate_pass *pass, void (*open)(struct gate_pass *pass))
{
    list_create(&pass->_node);
    pass->open = open;
}

void gate_enter(struct gate *gate, struct gate_pass *pass, enum gate_lane lane)
{
    CHECK(list_empty(&pass->_node));
    list_append(&gate->_waiting[lane], &pass->_node);
    serve(gate);
}

void gate_leave(struct gate *gate, struct gate_pass *pass)
{
    (void)gate; /* the timer stands for who is left, if anyone */
    list_remove(&pass->_node);
}

uint32_t gate_waiting(const struct gate *gate)
{
    uint32_t count = 0;
    for (int lane = 0; lane < GATE_LANES; lane++) LIST_EACH(node, &gate->_waiting[lane]) count++;
    return count;
}
