/* One after the other for one key, side by side for others, and never stuck. */
#include "engine/publishers.c"

#include "unit.h"

enum { REQUESTS = 4 };

static struct publishers publishers;
static struct turn turns[REQUESTS];
static struct turn *come[REQUESTS];
static int come_count;

static void on_come(struct turn *turn)
{
    come[come_count++] = turn;
}

static int begin(void **state)
{
    (void)state;
    come_count = 0;
    memset(turns, 0, sizeof(turns));
    publishers_create(&publishers, on_come);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < REQUESTS; i++) turn_end(&turns[i]);
    assert_int_equal(publishers.waiting, 0);
    assert_true(publishers_idle(&publishers));
    publishers_destroy(&publishers);
    return 0;
}

static const struct publishers_bounds wide = {.line = 100, .all = 100};

/* The keys are the letters. */
static enum turn_taken take(int request, const char *letters, const struct publishers_bounds *bounds)
{
    struct bytes keys[8];
    size_t count = strlen(letters);
    for (size_t i = 0; i < count; i++) keys[i] = bytes_run(letters + i, 1);
    return turn_take(&turns[request], &publishers, keys, count, bounds);
}

static void one_key_waits_and_another_does_not(void **state)
{
    (void)state;
    assert_int_equal(take(0, "a", &wide), TURN_COME);
    assert_int_equal(take(1, "a", &wide), TURN_WAITS);
    assert_int_equal(take(2, "b", &wide), TURN_COME);
    assert_int_equal(take(3, "a", &wide), TURN_WAITS);
    turn_end(&turns[2]);
    assert_int_equal(come_count, 0);
    turn_end(&turns[0]);
    assert_int_equal(come_count, 1);
    assert_ptr_equal(come[0], &turns[1]);
    turn_end(&turns[1]);
    assert_ptr_equal(come[1], &turns[3]);
    assert_int_equal(come_count, 2);
}

static void several_keys_wait_for_all_of_them(void **state)
{
    (void)state;
    assert_int_equal(take(0, "a", &wide), TURN_COME);
    assert_int_equal(take(1, "b", &wide), TURN_COME);
    assert_int_equal(take(2, "abba", &wide), TURN_WAITS);
    assert_int_equal(take(3, "ba", &wide), TURN_WAITS); /* the other way round, and never stuck */
    turn_end(&turns[0]);
    assert_int_equal(come_count, 0);
    turn_end(&turns[1]);
    assert_int_equal(come_count, 1);
    assert_ptr_equal(come[0], &turns[2]);
    turn_end(&turns[2]);
    assert_ptr_equal(come[1], &turns[3]);
}

static void who_leaves_before_its_turn_holds_nobody_up(void **state)
{
    (void)state;
    take(0, "a", &wide);
    take(1, "ab", &wide);
    assert_int_equal(take(2, "b", &wide), TURN_WAITS);
    turn_end(&turns[1]);
    assert_int_equal(come_count, 1);
    assert_ptr_equal(come[0], &turns[2]);
    assert_int_equal(publishers.waiting, 0);
}

static void lines_are_bounded(void **state)
{
    (void)state;
    const struct publishers_bounds one = {.line = 1, .all = 2}, none = {.line = 0, .all = 2};
    assert_int_equal(take(0, "a", &none), TURN_COME);
    assert_int_equal(take(1, "a", &none), TURN_LINE_FULL);
    assert_false(turn_stands(&turns[1]));
    assert_int_equal(take(1, "a", &one), TURN_WAITS);
    assert_int_equal(take(2, "ab", &one), TURN_LINE_FULL);
    assert_int_equal(take(2, "b", &(struct publishers_bounds){.line = 1, .all = 1}), TURN_ALL_FULL);
    turn_end(&turns[0]);
    assert_int_equal(come_count, 1);
    assert_int_equal(take(2, "ab", &one), TURN_WAITS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_key_waits_and_another_does_not, begin, end),
        cmocka_unit_test_setup_teardown(several_keys_wait_for_all_of_them, begin, end),
        cmocka_unit_test_setup_teardown(who_leaves_before_its_turn_holds_nobody_up, begin, end),
        cmocka_unit_test_setup_teardown(lines_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
