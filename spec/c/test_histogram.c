#include "base/histogram.c"

#include "unit.h"

static void a_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        struct histogram histogram = {.count = 0};
        histogram_note(&histogram, histogram_bound_us(i), 1);
        histogram_note(&histogram, histogram_bound_us(i) + 1, 1);
        assert_int_equal(histogram.counts[i], 1);
        assert_int_equal(histogram.counts[i + 1], 1);
    }
}

static void bounds_rise(void **state)
{
    (void)state;
    for (int i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bound_us(i) > histogram_bound_us(i - 1));
}

static void counts_add_up_over_the_added(void **state)
{
    (void)state;
    struct histogram a = {.count = 0}, b = {.count = 0};
    histogram_note(&a, 0, 3);
    histogram_note(&a, 700, 2);
    histogram_note(&b, 20000000, 1);
    histogram_note(&b, 700, 1);
    histogram_add(&a, &b);
    uint64_t counted = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) counted += a.counts[i];
    assert_int_equal(counted, 7);
    assert_int_equal(a.count, 7);
    assert_int_equal(a.counts[0], 3);
    assert_int_equal(a.counts[3], 3);
    assert_int_equal(a.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(a.sum_us, 3 * 700 + 20000000);
    assert_int_equal(a.max_us, 20000000);
}

static void nothing_is_noted_of_no_times(void **state)
{
    (void)state;
    struct histogram histogram = {.count = 0};
    histogram_note(&histogram, 500, 0);
    assert_int_equal(histogram.count + histogram.sum_us + histogram.max_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_bound_belongs_to_its_bucket, nothing_left),
        cmocka_unit_test_teardown(bounds_rise, nothing_left),
        cmocka_unit_test_teardown(counts_add_up_over_the_added, nothing_left),
        cmocka_unit_test_teardown(nothing_is_noted_of_no_times, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
