/* Growing, filling, dropping, handing over. */
#include "base/buf.c"

#include "unit.h"

static void grows_and_keeps_what_it_holds(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    for (int i = 0; i < 100000; i++) buf_add_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.size, 100000);
    assert_in_range(buf.capacity, buf.size, 2 * buf.size);
    for (int i = 0; i < 100000; i++) assert_int_equal(buf.data[i], 'a' + i % 26);
    buf_destroy(&buf);
    assert_null(buf.data);
    buf_add_text(&buf, "usable");
    assert_text(buf_bytes(&buf), "usable");
    buf_destroy(&buf);
}

static void adds_every_shape(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_add(&buf, NULL, 0);
    buf_add_bytes(&buf, bytes_run(NULL, 0));
    buf_add_text(&buf, "");
    assert_null(buf.data);
    buf_add(&buf, "a\0b", 3);
    buf_add_bytes(&buf, BYTES("-"));
    buf_printf(&buf, "%d%s", 42, "");
    assert_bytes(buf_bytes(&buf), BYTES("a\0b-42"));
    memcpy(buf_reserve(&buf, 3), "xyz", 3);
    assert_int_equal(buf.size, 6); /* reserving alone adds nothing */
    buf.size += 3;
    assert_bytes(buf_bytes(&buf), BYTES("a\0b-42xyz"));
    buf_destroy(&buf);
}

static void prints_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    for (int width = 1; width < 300; width++) {
        buf_clear(&buf);
        buf_printf(&buf, "%*d|", width, 7);
        assert_int_equal(buf.size, width + 1);
        assert_int_equal(buf.data[width - 1], '7');
        assert_int_equal(buf.data[width], '|');
    }
    buf_destroy(&buf);
}

static void drops_from_the_front(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_consume(&buf, 0);
    buf_add_text(&buf, "abcdef");
    buf_consume(&buf, 0);
    buf_consume(&buf, 2);
    assert_text(buf_bytes(&buf), "cdef");
    buf_consume(&buf, 4);
    assert_int_equal(buf.size, 0);
    buf_destroy(&buf);
}

static void drop_too_much(void)
{
    struct buf buf = BUF_EMPTY;
    buf_add_text(&buf, "ab");
    buf_consume(&buf, 3);
}

static void refuses_to_drop_what_it_has_not(void **state)
{
    (void)state;
    assert_aborts(drop_too_much);
}

static void terminates_without_counting(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    assert_string_equal(buf_text(&buf), "");
    while (buf.size < buf.capacity) buf_add_char(&buf, 'x'); /* full to the brim */
    assert_int_equal(strlen(buf_text(&buf)), buf.size);
    char *taken = buf_take(&buf);
    assert_int_equal(strlen(taken), 64);
    assert_null(buf.data);
    assert_int_equal(buf.size + buf.capacity, 0);
    xfree(taken);
    taken = buf_take(&buf);
    assert_string_equal(taken, "");
    xfree(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(grows_and_keeps_what_it_holds, nothing_left),
        cmocka_unit_test_teardown(adds_every_shape, nothing_left),
        cmocka_unit_test_teardown(prints_more_than_there_is_room_for, nothing_left),
        cmocka_unit_test_teardown(drops_from_the_front, nothing_left),
        cmocka_unit_test(refuses_to_drop_what_it_has_not),
        cmocka_unit_test_teardown(terminates_without_counting, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
