/* What cursors are worth once a server began anew. */
#include "hub/order.h"

#include "unit.h"

static struct order order;

static void begin_anew(uint8_t server, uint64_t number)
{
    order_epoch(&order, server, number, (struct hash_key){number, 1}, (struct hash_key){number, 2});
}

static int set_up(void **state)
{
    (void)state;
    order_create(&order);
    order_share(&order, 3);
    begin_anew(0, 1);
    return 0;
}

static bool reads(struct bytes cursor, struct places expected, uint32_t expected_begun)
{
    struct places places;
    uint32_t begun;
    if (!order_read(&order, cursor, &places, &begun)) return false;
    assert_int_equal(begun, expected_begun);
    for (int i = 0; i < 3; i++) assert_int_equal(places.at[i], expected.at[i]);
    return true;
}

static void they_count_for_the_servers_that_go_on(void **state)
{
    (void)state;
    char text[CURSOR_MAX];
    const struct places places = {{10, 20, 30}};
    const struct bytes cursor = bytes_run(text, cursor_write(&order.epoch, &places, text));
    assert_true(reads(cursor, places, 0));
    begin_anew(1, 2);
    assert_true(reads(cursor, (struct places){{10, 0, 30}}, 2));
    begin_anew(1, 3);
    assert_true(reads(cursor, (struct places){{10, 0, 30}}, 2));
    begin_anew(2, 4);
    assert_true(reads(cursor, (struct places){{10, 0, 0}}, 6));
    begin_anew(0, 5);
    assert_false(reads(cursor, places, 0)); /* nothing of it counts */
}

static void four_changes_are_remembered(void **state)
{
    (void)state;
    char text[CURSOR_MAX];
    const struct places places = {{10, 20, 30}};
    const struct bytes cursor = bytes_run(text, cursor_write(&order.epoch, &places, text));
    for (uint64_t number = 2; number < 2 + ORDER_FORMER; number++) {
        begin_anew(1, number);
        assert_true(reads(cursor, (struct places){{10, 0, 30}}, 2));
    }
    begin_anew(1, 9);
    assert_false(reads(cursor, places, 0));
    char newer[CURSOR_MAX];
    assert_true(reads(bytes_run(newer, cursor_write(&order.epoch, &places, newer)), places, 0));
}

/* Who comes from a node that is ahead is waited for, also where another server began anew meanwhile. */
static void one_of_a_node_that_is_ahead_is_behind_nothing_else(void **state)
{
    (void)state;
    char text[CURSOR_MAX];
    const struct places places = {{10, 20, 30}};
    const struct bytes cursor = bytes_run(text, cursor_write(&order.epoch, &places, text));
    order_begin(&order, 0, 10);
    order_begin(&order, 1, 20);
    order_begin(&order, 2, 29);
    assert_true(order_is_behind_cursor(&order, cursor));
    begin_anew(1, 2);
    assert_true(order_is_behind_cursor(&order, cursor));
    order_heard(&order, 2, 30);
    assert_false(order_is_behind_cursor(&order, cursor));
    assert_false(order_is_behind_cursor(&order, BYTES("anything")));
}

static void nobody_s_is_none(void **state)
{
    (void)state;
    begin_anew(1, 2);
    assert_false(reads(BYTES("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), (struct places){{0}}, 0));
    assert_false(reads(BYTES(""), (struct places){{0}}, 0));
}

static void what_came_before_an_epoch_has_no_place_in_it(void **state)
{
    (void)state;
    char text[CURSOR_MAX];
    struct places places = {{10, 20, 30}};
    const struct bytes id = bytes_run(text, cursor_write(&order.epoch, &places, text));
    assert_true(order_before(&order, 1, 20, id, &places));
    assert_int_equal(places.at[1], 19);
    begin_anew(1, 2);
    order_begin(&order, 1, 25);
    assert_false(order_before(&order, 1, 20, id, &places));
    assert_true(order_before(&order, 0, 10, id, &places));
    assert_int_equal(places.at[0], 9);
    assert_int_equal(places.at[1], 0);
    order_create(&order); /* one server's ids need not be read */
    order_share(&order, 1);
    order_begin(&order, 0, 100);
    assert_false(order_before(&order, 0, 100, BYTES("whose"), &places));
    assert_true(order_before(&order, 0, 101, BYTES("whose"), &places));
    assert_int_equal(places.at[0], 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(they_count_for_the_servers_that_go_on, set_up),
        cmocka_unit_test_setup(four_changes_are_remembered, set_up),
        cmocka_unit_test_setup(one_of_a_node_that_is_ahead_is_behind_nothing_else, set_up),
        cmocka_unit_test_setup(nobody_s_is_none, set_up),
        cmocka_unit_test_setup(what_came_before_an_epoch_has_no_place_in_it, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
