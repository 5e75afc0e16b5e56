/* The table of seats: numbers find their own seat or nothing, and rise. */
#include "engine/seats.c"

#include "unit.h"

/* Never looked into here: any pointer will do. */
static struct seat *seat(uintptr_t number)
{
    return (struct seat *)(number * 16);
}

static void finds_what_is_there(void **state)
{
    (void)state;
    struct seats seats = SEATS_EMPTY;
    uint64_t one = seats_add(&seats, seat(1)), two = seats_add(&seats, seat(2));
    assert_int_equal(seats.count, 2);
    assert_ptr_equal(seats_find(&seats, one), seat(1));
    assert_ptr_equal(seats_find(&seats, two), seat(2));
    assert_null(seats_find(&seats, 0));
    assert_null(seats_find(&seats, one + 1000));
    assert_null(seats_find(&seats, UINT64_MAX));
    seats_remove(&seats, one);
    assert_null(seats_find(&seats, one));
    assert_ptr_equal(seats_find(&seats, two), seat(2));
    assert_int_equal(seats.count, 1);
    seats_destroy(&seats);
}

static void uses_no_number_twice_and_the_newer_is_higher(void **state)
{
    (void)state;
    struct seats seats = SEATS_EMPTY;
    uint64_t last = 0, kept[100] = {0}, chance = 3;
    for (uintptr_t i = 1; i < 20000; i++) {
        size_t at = draw_below(&chance, COUNT(kept));
        if (kept[at]) {
            seats_remove(&seats, kept[at]);
            assert_null(seats_find(&seats, kept[at]));
        }
        kept[at] = seats_add(&seats, seat(i));
        assert_true(kept[at] > last);
        assert_ptr_equal(seats_find(&seats, kept[at]), seat(i));
        last = kept[at];
    }
    assert_true(seats._size <= 256); /* slots are used again */
    seats_destroy(&seats);
}

static void walks_all_while_they_go(void **state)
{
    (void)state;
    struct seats seats = SEATS_EMPTY;
    uint64_t numbers[50];
    for (uintptr_t i = 0; i < COUNT(numbers); i++) numbers[i] = seats_add(&seats, seat(i + 1));
    for (size_t i = 0; i < COUNT(numbers); i += 7) seats_remove(&seats, numbers[i]), numbers[i] = 0;
    uint32_t index = 0, seen = 0;
    for (struct seat *at; (at = seats_next(&seats, &index));) {
        size_t i = (uintptr_t)at / 16 - 1;
        assert_true(numbers[i] != 0);
        seats_remove(&seats, numbers[i]);
        numbers[i] = 0;
        seen++;
    }
    assert_int_equal(seen, 42);
    assert_int_equal(seats.count, 0);
    index = 0;
    assert_null(seats_next(&seats, &index));
    seats_destroy(&seats);
}

static void remove_twice(void)
{
    struct seats seats = SEATS_EMPTY;
    uint64_t one = seats_add(&seats, seat(1));
    seats_remove(&seats, one);
    seats_remove(&seats, one);
}

static void lets_nobody_go_twice(void **state)
{
    (void)state;
    assert_aborts(remove_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there),
        cmocka_unit_test(uses_no_number_twice_and_the_newer_is_higher),
        cmocka_unit_test(walks_all_while_they_go),
        cmocka_unit_test(lets_nobody_go_twice),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
