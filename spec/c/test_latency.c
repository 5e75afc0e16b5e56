#include "hub/latency.c"

#include "unit.h"

static uint64_t now_us, reads;

static uint64_t read_us(void)
{
    reads++;
    return now_us;
}

static struct clock clock_of_test = {.read_us = read_us};
static struct histogram histogram;

static struct latency fresh(void)
{
    histogram = (struct histogram){.count = 0};
    reads = 0;
    return (struct latency){.histogram = &histogram};
}

static void many_writes_cost_one_look_at_the_clock(void **state)
{
    (void)state;
    struct latency latency = fresh();
    const uint64_t first = 1000, second = 4000;
    for (int i = 0; i < 5000; i++) latency_note(&latency, &clock_of_test, first, 2);
    for (int i = 0; i < 5; i++) latency_note(&latency, &clock_of_test, second, 1);
    now_us = 4100;
    latency_settle(&latency, &clock_of_test);
    assert_int_equal(reads, 1);
    assert_int_equal(histogram.count, 10005);
    assert_int_equal(histogram.counts[0], 5);
    assert_int_equal(histogram.sum_us, 10000 * 3100 + 5 * 100);
    latency_settle(&latency, &clock_of_test);
    assert_int_equal(reads, 1);
    assert_int_equal(histogram.count, 10005);
}

static void more_than_it_notes_is_settled_between(void **state)
{
    (void)state;
    struct latency latency = fresh();
    now_us = 1000;
    for (uint64_t i = 0; i < 3 * LATENCY_NOTED; i++)
        latency_note(&latency, &clock_of_test, i, 1);
    latency_settle(&latency, &clock_of_test);
    assert_int_equal(histogram.count, 3 * LATENCY_NOTED);
    assert_int_equal(reads, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(many_writes_cost_one_look_at_the_clock, nothing_left),
        cmocka_unit_test_teardown(more_than_it_notes_is_settled_between, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
