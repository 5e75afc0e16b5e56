/* The wheel against a naive model: a table of due times, searched. */
#include "base/wheel.c"

#include "unit.h"

enum { TIMERS = 200 };

/* What the model knows of each timer. */
static struct model {
    struct timer timer;
    bool armed;
    uint64_t due_ms;
    uint64_t order;   /* of arming */
    unsigned advance; /* the first one that may fire it */
} model[TIMERS];

static struct wheel wheel;
static uint64_t now_ms, until_ms, orders, seed;
static unsigned advances, fired, rearmed_late;
static bool nested; /* fire arms and disarms others */

static void model_arm(struct model *m, uint64_t due_ms)
{
    m->armed = true;
    m->due_ms = due_ms > now_ms ? due_ms : until_ms;
    m->order = orders++;
    m->advance = m->due_ms > now_ms ? advances : advances + 1;
    wheel_arm(&wheel, &m->timer, due_ms);
    assert_true(timer_armed(&m->timer));
}

static void model_disarm(struct model *m)
{
    m->armed = false;
    wheel_disarm(&wheel, &m->timer);
    assert_false(timer_armed(&m->timer));
}

/* What must fire next in the advance at hand, if anything. */
static struct model *model_next(void)
{
    struct model *next = NULL;
    for (struct model *m = model; m < model + TIMERS; m++) {
        if (!m->armed || m->due_ms > until_ms || m->advance > advances) continue;
        bool sooner = next && (m->due_ms < next->due_ms ||
                               (m->due_ms == next->due_ms && m->order < next->order));
        if (!next || sooner) next = m;
    }
    return next;
}

/* A delay of any size, often 0 or a slot's border; some are beyond all levels. */
static uint64_t draw_delay(void)
{
    uint64_t delay = draw(&seed) >> (63 - draw_below(&seed, 27));
    if (draw_below(&seed, 4) == 0) delay = (uint64_t)64 << 6 * draw_below(&seed, 4);
    if (draw_below(&seed, 4) == 0) delay -= delay > 0;
    return draw_below(&seed, 8) == 0 ? 0 : delay;
}

static void act(void)
{
    struct model *m = &model[draw_below(&seed, TIMERS)];
    uint64_t base = draw_below(&seed, 3) ? now_ms : until_ms;
    if (draw_below(&seed, 3) == 0)
        model_disarm(m);
    else if (draw_below(&seed, 10) == 0)
        model_arm(m, base - draw_below(&seed, 100));
    else
        model_arm(m, base + draw_delay());
}

static void fire(struct timer *timer)
{
    struct model *m = CONTAINER(timer, struct model, timer);
    assert_ptr_equal(m, model_next());
    assert_false(timer_armed(timer));
    m->armed = false;
    fired++;
    now_ms = m->due_ms;
    for (uint64_t i = nested ? draw_below(&seed, 4) : 0; i; i--) act();
    if (nested && draw_below(&seed, 4) == 0) {
        model_arm(m, now_ms);
        rearmed_late++;
    }
}

static void model_advance(uint64_t to_ms)
{
    until_ms = to_ms;
    advances++;
    wheel_advance(&wheel, to_ms);
    assert_null(model_next()); /* nothing was forgotten */
    now_ms = until_ms;
}

static uint64_t earliest(void)
{
    uint64_t due_ms = UINT64_MAX;
    for (struct model *m = model; m < model + TIMERS; m++)
        if (m->armed && m->due_ms < due_ms) due_ms = m->due_ms;
    return due_ms;
}

static uint32_t armed(void)
{
    uint32_t count = 0;
    for (struct model *m = model; m < model + TIMERS; m++) count += m->armed;
    return count;
}

static void start(uint64_t at_ms)
{
    now_ms = until_ms = at_ms;
    fired = rearmed_late = 0;
    nested = false;
    wheel_create(&wheel, at_ms);
    for (struct model *m = model; m < model + TIMERS; m++) {
        *m = (struct model){.armed = false};
        timer_init(&m->timer, fire);
    }
}

static void fires_like_the_model_under_random_schedules(void **state)
{
    (void)state;
    unsigned all = 0, all_late = 0;
    for (unsigned round = 0; round < 30; round++) {
        seed = round;
        /* Also from just before a border of all levels. */
        start(round % 2 ? ((uint64_t)3 << 24) - draw_below(&seed, 200)
                        : draw_below(&seed, 1 << 30));
        nested = true;
        for (int turn = 0; turn < 400; turn++) {
            for (uint64_t i = draw_below(&seed, 6); i; i--) act();
            uint64_t next = wheel_next(&wheel);
            assert_true(next <= earliest());
            assert_true(next == UINT64_MAX || next >= now_ms);
            assert_int_equal(wheel.count, armed());
            model_advance(draw_below(&seed, 3) ? now_ms + draw_delay()
                          : next == UINT64_MAX ? now_ms
                                               : next);
        }
        all += fired;
        all_late += rearmed_late;
    }
    assert_in_range(all, 10000, 10000000);
    assert_in_range(all_late, 1000, 1000000);
}

static void wakes_a_few_times_a_timer(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        seed = round;
        start(draw_below(&seed, 1 << 30));
        uint64_t due_ms = now_ms + draw_below(&seed, (uint64_t)1 << 34);
        model_arm(&model[0], due_ms);
        unsigned wakes = 0;
        for (uint64_t next; (next = wheel_next(&wheel)) != UINT64_MAX; wakes++) {
            assert_true(next <= due_ms);
            model_advance(next);
        }
        assert_int_equal(fired, 1);
        assert_int_equal(now_ms, due_ms);
        assert_in_range(wakes, 1, WHEEL_LEVELS + 1); /* once a level */
    }
}

static void waits_for_nothing(void **state)
{
    (void)state;
    start(1000);
    assert_true(wheel_next(&wheel) == UINT64_MAX);
    model_arm(&model[0], 5000);
    model_arm(&model[1], (uint64_t)1 << 50);
    model_disarm(&model[0]);
    model_disarm(&model[1]);
    assert_true(wheel_next(&wheel) == UINT64_MAX);
    model_disarm(&model[1]);
    assert_int_equal(wheel.count, 0);
    model_advance((uint64_t)1 << 51);
    /* A bound left by the one that was disarmed must not pull the time back. */
    model_arm(&model[2], (uint64_t)1 << 52);
    assert_true(wheel_next(&wheel) >= (uint64_t)1 << 51);
    model_advance((uint64_t)1 << 53);
    assert_int_equal(fired, 1);
}

static void equal_times_fire_in_order_of_arming_however_far_they_were(void **state)
{
    (void)state;
    start(0);
    const uint64_t due_ms = 300000;
    const uint64_t armed_at[] = {0, 1, 262144, 299000, 299999}; /* from every level down */
    for (size_t i = 0; i < COUNT(armed_at); i++) {
        model_advance(armed_at[i]);
        model_arm(&model[i], due_ms);
    }
    model_advance(due_ms); /* fire() compares the order */
    assert_int_equal(fired, COUNT(armed_at));
}

static void jumps_over_hours_and_years_at_once(void **state)
{
    (void)state;
    start(0);
    for (int i = 0; i < TIMERS; i++) model_arm(&model[i], (uint64_t)i * 3600000 + 17);
    model_arm(&model[0], UINT64_MAX);
    unsigned steps = 0;
    model_advance((uint64_t)TIMERS * 3600000);
    assert_int_equal(fired, TIMERS - 1);
    for (; wheel.count; steps++) model_advance(wheel_next(&wheel));
    assert_in_range(steps, 1, WHEEL_LEVELS + 1);
    assert_true(now_ms == UINT64_MAX);
}

static struct timer again;
static int agains;

static void arm_again(struct timer *timer)
{
    agains++;
    wheel_arm(&wheel, timer, 0); /* long past */
}

static void a_timer_that_rearms_in_the_past_does_not_hold_the_advance(void **state)
{
    (void)state;
    start(100);
    agains = 0;
    timer_init(&again, arm_again);
    wheel_arm(&wheel, &again, 100);
    assert_true(wheel_next(&wheel) == 100);
    wheel_advance(&wheel, 100);
    assert_int_equal(agains, 1);
    wheel_advance(&wheel, 100);
    assert_int_equal(agains, 2);
    wheel_advance(&wheel, 90); /* a clock that falls back is taken for one that stands */
    assert_int_equal(agains, 3);
    wheel_advance(&wheel, 500); /* at 100, and at the end */
    assert_int_equal(agains, 5);
    wheel_disarm(&wheel, &again);
}

static struct timer *victims[3];

static void free_the_others(struct timer *timer)
{
    for (size_t i = 0; i < COUNT(victims); i++) {
        wheel_disarm(&wheel, victims[i]);
        xfree(victims[i]);
    }
    (void)timer;
}

static void fire_may_free_itself_and_what_is_due_with_it(void **state)
{
    (void)state;
    start(0);
    for (size_t i = 0; i < COUNT(victims); i++) {
        victims[i] = xmalloc(sizeof(struct timer));
        timer_init(victims[i], free_the_others);
        wheel_arm(&wheel, victims[i], 70 + i / 2); /* two of one millisecond, one later */
    }
    wheel_advance(&wheel, 1000);
    assert_int_equal(wheel.count, 0);
    assert_true(wheel_next(&wheel) == UINT64_MAX);
}

static void use_uncreated(void)
{
    struct timer timer = {.fire = fire};
    wheel_arm(&wheel, &timer, 5);
}

static void advance_within(struct timer *timer)
{
    (void)timer;
    wheel_advance(&wheel, 10);
}

static void use_nested(void)
{
    struct timer timer;
    timer_init(&timer, advance_within);
    wheel_arm(&wheel, &timer, 5);
    wheel_advance(&wheel, 5);
}

static void refuses_misuse(void **state)
{
    (void)state;
    start(0);
    assert_aborts(use_uncreated);
    assert_aborts(use_nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_like_the_model_under_random_schedules),
        cmocka_unit_test(wakes_a_few_times_a_timer),
        cmocka_unit_test(waits_for_nothing),
        cmocka_unit_test(equal_times_fire_in_order_of_arming_however_far_they_were),
        cmocka_unit_test(jumps_over_hours_and_years_at_once),
        cmocka_unit_test(a_timer_that_rearms_in_the_past_does_not_hold_the_advance),
        cmocka_unit_test_teardown(fire_may_free_itself_and_what_is_due_with_it, nothing_left),
        cmocka_unit_test(refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
