/* The gate under a clock of its own: who passes when. */
#include "upstream/gate.c"

#include "unit.h"

struct opener {
    struct gate_pass pass;
    uint64_t opened_ms;
    int opens;
    int again; /* enters this often from within open */
};

static struct clock clock_;
static struct gate gate;
static int order[16], ordered; /* the first that opened, by index in `some` */
static struct opener some[16];

static void on_open(struct gate_pass *pass)
{
    struct opener *opener = CONTAINER(pass, struct opener, pass);
    opener->opened_ms = clock_.now_ms;
    opener->opens++;
    if (opener >= some && opener < some + COUNT(some) && ordered < (int)COUNT(order))
        order[ordered++] = (int)(opener - some);
    if (opener->again-- > 0) gate_enter(&gate, pass, GATE_AGAIN);
}

static void begin(uint64_t rate_per_s, uint64_t burst)
{
    clock_ = (struct clock){.now_ms = 1000};
    wheel_create(&clock_.wheel, clock_.now_ms);
    gate_create(&gate, &clock_, rate_per_s, burst);
    ordered = 0;
    for (size_t i = 0; i < COUNT(some); i++) {
        some[i] = (struct opener){0};
        gate_pass_create(&some[i].pass, on_open);
    }
}

static void end(void)
{
    gate_destroy(&gate);
    assert_int_equal(clock_.wheel.count, 0);
}

/* As the loop does it: from one due time to the next. */
static void advance(uint64_t ms)
{
    uint64_t until = clock_.now_ms + ms;
    while (clock_.now_ms < until) {
        uint64_t next = wheel_next(&clock_.wheel);
        clock_.now_ms = next > until ? until : next > clock_.now_ms ? next : clock_.now_ms + 1;
        wheel_advance(&clock_.wheel, clock_.now_ms);
    }
}

static int opened_of(struct opener *openers, int count)
{
    int opened = 0;
    for (int i = 0; i < count; i++) opened += openers[i].opens;
    return opened;
}

static void first_openings_spend_the_burst(void **state)
{
    (void)state;
    begin(10, 4);
    for (int i = 0; i < 7; i++) gate_enter(&gate, &some[i].pass, GATE_FIRST);
    assert_int_equal(opened_of(some, 7), 4);
    assert_int_equal(gate_waiting(&gate), 3);
    advance(99);
    assert_int_equal(opened_of(some, 7), 4);
    advance(1);
    assert_int_equal(opened_of(some, 7), 5);
    advance(200);
    assert_int_equal(opened_of(some, 7), 7);
    for (int i = 0; i < 7; i++) assert_int_equal(order[i], i);
    end();
}

static void the_burst_is_saved_up_again_and_no_more(void **state)
{
    (void)state;
    begin(10, 3);
    for (int i = 0; i < 3; i++) gate_enter(&gate, &some[i].pass, GATE_FIRST);
    advance(60000);
    for (int i = 3; i < 8; i++) gate_enter(&gate, &some[i].pass, GATE_FIRST);
    assert_int_equal(opened_of(some, 8), 6);
    advance(1000);
    end();
}

static void openings_again_keep_their_distance(void **state)
{
    (void)state;
    begin(10, 100);
    for (int i = 0; i < 5; i++) gate_enter(&gate, &some[i].pass, GATE_AGAIN);
    advance(1000);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(some[i].opened_ms, 1000 + 100 * (uint64_t)i);
    }
    end();
}

static void a_newcomer_passes_by_those_that_come_again(void **state)
{
    (void)state;
    begin(10, 4);
    for (int i = 0; i < 5; i++) gate_enter(&gate, &some[i].pass, GATE_AGAIN);
    gate_enter(&gate, &some[9].pass, GATE_FIRST);
    assert_int_equal(some[9].opens, 1);
    assert_int_equal(opened_of(some, 5), 1);
    advance(1000);
    end();
}

static void where_both_lanes_wait_they_take_turns(void **state)
{
    (void)state;
    begin(10, 1);
    gate_enter(&gate, &some[0].pass, GATE_FIRST);
    for (int i = 1; i <= 4; i++) gate_enter(&gate, &some[i].pass, GATE_FIRST);
    for (int i = 5; i <= 8; i++) gate_enter(&gate, &some[i].pass, GATE_AGAIN);
    advance(1000);
    const int want[] = {0, 5, 1, 6, 2, 7, 3, 8, 4};
    assert_memory_equal(order, want, sizeof(want));
    end();
}

static void who_leaves_never_opens(void **state)
{
    (void)state;
    begin(10, 1);
    for (int i = 0; i < 3; i++) gate_enter(&gate, &some[i].pass, GATE_FIRST);
    gate_leave(&gate, &some[1].pass);
    gate_leave(&gate, &some[1].pass);
    advance(100);
    assert_int_equal(some[1].opens, 0);
    assert_int_equal(some[2].opens, 1);
    end();
}

static void entering_from_open_waits_its_turn(void **state)
{
    (void)state;
    begin(10, 2);
    some[0].again = 3;
    gate_enter(&gate, &some[0].pass, GATE_FIRST);
    assert_int_equal(some[0].opens, 2); /* a full bucket has one for the lane of those again */
    advance(100);
    assert_int_equal(some[0].opens, 3);
    advance(100);
    assert_int_equal(some[0].opens, 4);
    end();
}

static void thousands_come_back_spread_out(void **state)
{
    (void)state;
    enum { LOST = 5000, RATE = 200 };
    begin(RATE, 50);
    struct opener *lost = xcalloc(LOST, sizeof(*lost));
    for (int i = 0; i < LOST; i++) {
        gate_pass_create(&lost[i].pass, on_open);
        gate_enter(&gate, &lost[i].pass, GATE_AGAIN);
    }
    advance(1000 * (LOST / RATE) - 1);
    assert_int_equal(opened_of(lost, LOST), LOST);
    for (int i = 1; i < LOST; i++)
        assert_int_equal(lost[i].opened_ms - lost[i - 1].opened_ms, 1000 / RATE);
    xfree(lost);
    end();
}

static void a_rate_above_the_clock_s_ticks_is_kept(void **state)
{
    (void)state;
    enum { LOST = 10000, RATE = 5000 };
    begin(RATE, 100);
    struct opener *lost = xcalloc(LOST, sizeof(*lost));
    for (int i = 0; i < LOST; i++) {
        gate_pass_create(&lost[i].pass, on_open);
        gate_enter(&gate, &lost[i].pass, GATE_AGAIN);
    }
    advance(1000);
    assert_in_range(opened_of(lost, LOST), RATE, RATE + 5);
    advance(1000);
    xfree(lost);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(first_openings_spend_the_burst, nothing_left),
        cmocka_unit_test_teardown(the_burst_is_saved_up_again_and_no_more, nothing_left),
        cmocka_unit_test_teardown(openings_again_keep_their_distance, nothing_left),
        cmocka_unit_test_teardown(a_newcomer_passes_by_those_that_come_again, nothing_left),
        cmocka_unit_test_teardown(where_both_lanes_wait_they_take_turns, nothing_left),
        cmocka_unit_test_teardown(who_leaves_never_opens, nothing_left),
        cmocka_unit_test_teardown(entering_from_open_waits_its_turn, nothing_left),
        cmocka_unit_test_teardown(thousands_come_back_spread_out, nothing_left),
        cmocka_unit_test_teardown(a_rate_above_the_clock_s_ticks_is_kept, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
