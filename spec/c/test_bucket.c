/* The token bucket against arithmetic in fractions, at the edges of its numbers, and against the
 * promise over every stretch of time. */
#include "base/bucket.c"

#include "unit.h"

static void a_new_one_is_full_and_gives_its_burst(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    const struct bucket_limit limit = {.rate = 2, .burst = 3};
    assert_true(bucket_full(&bucket, limit, 5000));
    for (int i = 0; i < 3; i++) assert_true(bucket_take(&bucket, limit, 5000));
    assert_false(bucket_take(&bucket, limit, 5000));
    assert_false(bucket_full(&bucket, limit, 5000));
    assert_false(bucket_take(&bucket, limit, 5499));
    assert_true(bucket_take(&bucket, limit, 5500)); /* half a second, at two a second */
    assert_false(bucket_take(&bucket, limit, 5999));
    assert_true(bucket_take(&bucket, limit, 6000));
    assert_false(bucket_full(&bucket, limit, 7499));
    assert_true(bucket_full(&bucket, limit, 7500));
}

static void nothing_is_rounded(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    /* A token in 142.857… ms; the second one keeps what a full bucket would spill. */
    const struct bucket_limit limit = {.rate = 7, .burst = 2};
    uint64_t taken = 0;
    for (uint64_t now = 1; now <= 1000000; now++) taken += bucket_take(&bucket, limit, now);
    assert_int_equal(taken, 2 + 7 * UINT64_C(999999) / 1000);
}

static void a_wait_is_right_to_the_millisecond(void **state)
{
    (void)state;
    uint64_t chance = 1;
    for (int i = 0; i < 20000; i++) {
        struct bucket_limit limit = {.rate = 1 + (uint32_t)draw_below(&chance, 3000),
                                     .burst = 1 + (uint32_t)draw_below(&chance, 5)};
        struct bucket bucket = {0};
        uint64_t now = draw_below(&chance, 1000);
        while (bucket_take(&bucket, limit, now)) now += draw_below(&chance, 2);
        uint64_t wait = bucket_wait_ms(&bucket, limit, now);
        assert_true(wait > 0);
        struct bucket early = bucket;
        assert_false(bucket_take(&early, limit, now + wait - 1));
        assert_int_equal(bucket_wait_ms(&early, limit, now + wait - 1), 1);
        assert_int_equal(bucket_wait_ms(&bucket, limit, now + wait), 0);
        assert_true(bucket_take(&bucket, limit, now + wait));
    }
}

static void takes_many_together_or_none(void **state)
{
    (void)state;
    const struct bucket_limit limit = {.rate = 2, .burst = 5};
    struct bucket bucket = {0};
    assert_true(bucket_take_many(&bucket, limit, 3, 1000));
    assert_false(bucket_take_many(&bucket, limit, 3, 1000));
    assert_int_equal(bucket_wait_many_ms(&bucket, limit, 3, 1000), 500);
    assert_true(bucket_take_many(&bucket, limit, 2, 1000));
    assert_false(bucket_take_many(&bucket, limit, 3, 2499));
    assert_true(bucket_take_many(&bucket, limit, 3, 2500));
}

static void owes_what_is_more_than_its_burst(void **state)
{
    (void)state;
    const struct bucket_limit limit = {.rate = 2, .burst = 5};
    struct bucket bucket = {0};
    assert_true(bucket_take(&bucket, limit, 1000));
    assert_false(bucket_take_many(&bucket, limit, 100, 1000)); /* not all of its burst is there */
    assert_int_equal(bucket_wait_many_ms(&bucket, limit, 100, 1000), 500);
    assert_true(bucket_take_many(&bucket, limit, 100, 1500));
    assert_int_equal(bucket_wait_ms(&bucket, limit, 1500), 48000); /* 95 are owed, and one more */
    assert_false(bucket_take(&bucket, limit, 49499));
    assert_true(bucket_take(&bucket, limit, 49500));
    const struct bucket_limit nothing = {.rate = 2, .burst = 0};
    assert_false(bucket_take_many(&bucket, nothing, 100, 1000000));
    assert_true(bucket_wait_many_ms(&bucket, nothing, 100, 1000000) == UINT64_MAX);
}

static void gives_back_in_more_than_a_second(void **state)
{
    (void)state;
    const struct bucket_limit limit = {.rate = 2, .burst = 3, .seconds = 60};
    struct bucket bucket = {0};
    for (int i = 0; i < 3; i++) assert_true(bucket_take(&bucket, limit, 1000));
    assert_false(bucket_take(&bucket, limit, 1000));
    assert_int_equal(bucket_wait_ms(&bucket, limit, 1000), 30000);
    assert_false(bucket_take(&bucket, limit, 30999));
    assert_true(bucket_take(&bucket, limit, 31000));
    assert_false(bucket_full(&bucket, limit, 120999));
    assert_true(bucket_full(&bucket, limit, 121000));
}

static void no_stretch_of_time_has_more(void **state)
{
    (void)state;
    uint64_t chance = 2, refused = 0;
    enum { LONG = 300 };
    for (int round = 0; round < 300; round++) {
        struct bucket_limit limit = {.rate = (uint32_t)draw_below(&chance, 900),
                                     .burst = (uint32_t)draw_below(&chance, 20)};
        struct bucket bucket = {0};
        uint64_t at[LONG], count = 0, now = draw_below(&chance, 1 << 20);
        for (int i = 0; i < LONG; i++) {
            now += draw_below(&chance, 20);
            if (bucket_take(&bucket, limit, now))
                at[count++] = now;
            else
                refused++;
        }
        for (uint64_t from = 0; from < count; from++)
            for (uint64_t to = from; to < count; to++)
                assert_true((to - from + 1) * 1000 <=
                            limit.burst * UINT64_C(1000) + limit.rate * (at[to] - at[from]));
    }
    assert_true(refused > 1000);
}

static void the_edges_of_the_numbers(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    assert_false(bucket_take(&bucket, (struct bucket_limit){.rate = 5, .burst = 0}, 10));
    assert_true(bucket_wait_ms(&bucket, (struct bucket_limit){.rate = 5, .burst = 0}, 10) ==
                UINT64_MAX);
    const struct bucket_limit once = {.rate = 0, .burst = 1};
    assert_true(bucket_take(&bucket, once, 10));
    assert_false(bucket_take(&bucket, once, UINT64_MAX));
    assert_true(bucket_wait_ms(&bucket, once, UINT64_MAX) == UINT64_MAX);
    const struct bucket_limit most = {.rate = UINT32_MAX, .burst = UINT32_MAX};
    bucket = (struct bucket){0};
    assert_true(bucket_take(&bucket, most, 0));
    assert_true(bucket_take(&bucket, most, UINT64_MAX)); /* elapsed * rate does not fit */
    assert_int_equal(bucket._spent, 1000);
}

static void a_clock_that_goes_back_gives_nothing(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    const struct bucket_limit limit = {.rate = 1, .burst = 1};
    assert_true(bucket_take(&bucket, limit, 5000));
    assert_false(bucket_take(&bucket, limit, 1000));
    assert_int_equal(bucket_wait_ms(&bucket, limit, 1000), 5000);
    assert_false(bucket_take(&bucket, limit, 5999));
    assert_true(bucket_take(&bucket, limit, 6000));
}

static void another_limit_holds_at_once(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    for (int i = 0; i < 10; i++)
        bucket_take(&bucket, (struct bucket_limit){.rate = 1, .burst = 10}, 0);
    assert_false(bucket_take(&bucket, (struct bucket_limit){.rate = 1, .burst = 4}, 6000));
    assert_true(bucket_take(&bucket, (struct bucket_limit){.rate = 1, .burst = 20}, 6000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_is_full_and_gives_its_burst),
        cmocka_unit_test(nothing_is_rounded),
        cmocka_unit_test(a_wait_is_right_to_the_millisecond),
        cmocka_unit_test(takes_many_together_or_none),
        cmocka_unit_test(owes_what_is_more_than_its_burst),
        cmocka_unit_test(gives_back_in_more_than_a_second),
        cmocka_unit_test(no_stretch_of_time_has_more),
        cmocka_unit_test(the_edges_of_the_numbers),
        cmocka_unit_test(a_clock_that_goes_back_gives_nothing),
        cmocka_unit_test(another_limit_holds_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
