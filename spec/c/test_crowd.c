/* Counting by kind, up to a bound. */
#include "base/crowd.c"

#include "unit.h"

static void counts_each_kind_up_to_its_bound(void **state)
{
    (void)state;
    struct crowd crowd = CROWD_EMPTY;
    struct crowd_count *one = crowd_enter(&crowd, BYTES("a"), 2);
    struct crowd_count *two = crowd_enter(&crowd, BYTES("a"), 2);
    struct crowd_count *other = crowd_enter(&crowd, BYTES("a\0"), 2);
    assert_non_null(one), assert_non_null(two), assert_non_null(other);
    assert_null(crowd_enter(&crowd, BYTES("a"), 2));
    assert_null(crowd_enter(&crowd, BYTES("b"), 0));
    assert_int_equal(crowd_of(&crowd, BYTES("a")), 2);
    crowd_leave(&crowd, one);
    assert_int_equal(crowd_of(&crowd, BYTES("a")), 1);
    one = crowd_enter(&crowd, BYTES("a"), 2);
    assert_non_null(one);
    assert_null(crowd_enter(&crowd, BYTES("a"), 1)); /* a lower bound: nobody has to go */
    crowd_leave(&crowd, one), crowd_leave(&crowd, two), crowd_leave(&crowd, other);
    crowd_leave(&crowd, NULL);
    assert_int_equal(crowd_of(&crowd, BYTES("a")), 0);
    crowd_destroy(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_each_kind_up_to_its_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
