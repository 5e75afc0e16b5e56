/* Buckets by key: whom the table remembers, and whom it forgets. */
#include "engine/rates.c"

#include "unit.h"

static const struct bucket_limit slow = {.rate = 1, .burst = 2};

static bool take(struct rates *rates, const char *key, uint64_t now_ms)
{
    return rates_take(rates, bytes_of(key), slow, 1, now_ms) == 0;
}

static void each_key_has_its_own(void **state)
{
    (void)state;
    struct rates rates;
    rates_create(&rates, 10);
    assert_true(take(&rates, "a", 1) && take(&rates, "a", 1));
    assert_int_equal(rates_take(&rates, BYTES("a"), slow, 1, 1), 1000);
    assert_int_equal(rates_take(&rates, BYTES("a"), slow, 1, 501), 500);
    assert_true(take(&rates, "b", 1));
    assert_true(rates_take(&rates, BYTES("a\0b"), slow, 1, 1) == 0);
    assert_int_equal(rates_count(&rates), 3);
    assert_true(take(&rates, "a", 1001));
    assert_false(take(&rates, "a", 1001));
    rates_destroy(&rates);
}

static void what_is_full_again_is_forgotten(void **state)
{
    (void)state;
    struct rates rates;
    rates_create(&rates, 1000);
    for (int i = 0; i < 100; i++) {
        char key[8];
        snprintf(key, sizeof(key), "%d", i);
        assert_true(take(&rates, key, 1000));
    }
    assert_int_equal(rates_count(&rates), 100);
    for (int i = 0; i < 100; i++) take(&rates, "new", 2000 + (uint64_t)i);
    assert_int_equal(rates_count(&rates), 1);
    rates_destroy(&rates);
}

static void too_many_forget_the_one_asked_for_longest_ago(void **state)
{
    (void)state;
    struct rates rates;
    rates_create(&rates, 2);
    take(&rates, "a", 1), take(&rates, "a", 1);
    take(&rates, "b", 1), take(&rates, "b", 1);
    assert_false(take(&rates, "a", 2));
    assert_true(take(&rates, "c", 2)); /* for b */
    assert_int_equal(rates_count(&rates), 2);
    assert_false(take(&rates, "a", 3));
    assert_true(take(&rates, "b", 3)); /* for c */
    rates_set_most(&rates, 1);
    assert_int_equal(rates_count(&rates), 1);
    rates_destroy(&rates);
}

static void another_limit_begins_anew(void **state)
{
    (void)state;
    struct rates rates;
    const struct bucket_limit other = {.rate = 1, .burst = 1, .seconds = 10};
    rates_create(&rates, 2);
    take(&rates, "a", 1), take(&rates, "a", 1);
    assert_int_equal(rates_take(&rates, BYTES("a"), other, 1, 1), 0);
    assert_int_equal(rates_take(&rates, BYTES("a"), other, 1, 1), 10000);
    rates_destroy(&rates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_has_its_own),
        cmocka_unit_test(what_is_full_again_is_forgotten),
        cmocka_unit_test(too_many_forget_the_one_asked_for_longest_ago),
        cmocka_unit_test(another_limit_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
