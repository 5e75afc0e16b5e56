/* Written, read, forged. */
#include "event/cursor.c"

#include "cursors.h"
#include "unit.h"

static struct cursor_epoch epoch;
static const struct hash_key seal = {1, 2}, mask = {3, 4};

static int set_up(void **state)
{
    (void)state;
    cursor_epoch_create(&epoch, 42, seal, mask);
    return 0;
}

static const uint64_t positions[] = {0,        1, 2, 255, 1 << 20, (uint64_t)1 << 40, INT64_MAX - 1,
                                     INT64_MAX};

static void reads_what_it_wrote(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(positions); i++) {
        char text[CURSOR_SIZE + 1];
        text[CURSOR_SIZE] = '!';
        write_cursor(&epoch, positions[i], text);
        assert_int_equal(text[CURSOR_SIZE], '!');
        for (int at = 0; at < CURSOR_SIZE; at++)
            assert_non_null(strchr("0123456789abcdef", text[at]));
        assert_true(read_cursor(&epoch, bytes_run(text, CURSOR_SIZE)) == (int64_t)positions[i]);
    }
}

static void one_position_has_one_cursor(void **state)
{
    (void)state;
    char a[CURSOR_SIZE], b[CURSOR_SIZE];
    write_cursor(&epoch, 7, a), write_cursor(&epoch, 7, b);
    assert_memory_equal(a, b, CURSOR_SIZE);
}

static void any_change_is_noticed(void **state)
{
    (void)state;
    char text[CURSOR_SIZE];
    write_cursor(&epoch, 123456, text);
    for (int at = 0; at < CURSOR_SIZE; at++) {
        char kept = text[at];
        for (int c = 0; c < 256; c++) {
            text[at] = (char)c;
            bool whole = text[at] == kept;
            assert_int_equal(read_cursor(&epoch, bytes_run(text, CURSOR_SIZE)),
                             whole ? 123456 : -1);
        }
        text[at] = kept;
    }
}

static void only_one_spelling_is_read(void **state)
{
    (void)state;
    char text[CURSOR_SIZE + 2];
    bool changed = false;
    for (uint64_t position = 0; position < 8; position++) {
        write_cursor(&epoch, position, text + 1);
        for (int at = 1; at <= CURSOR_SIZE; at++) {
            if (text[at] < 'a') continue;
            text[at] = (char)(text[at] - 'a' + 'A');
            changed = true;
        }
        assert_int_equal(read_cursor(&epoch, bytes_run(text + 1, CURSOR_SIZE)), -1);
    }
    assert_true(changed);
    write_cursor(&epoch, 5, text + 1);
    text[0] = text[CURSOR_SIZE + 1] = '0';
    assert_int_equal(read_cursor(&epoch, bytes_run(text + 1, CURSOR_SIZE)), 5);
    assert_int_equal(read_cursor(&epoch, bytes_run(text, CURSOR_SIZE + 1)), -1);
    assert_int_equal(read_cursor(&epoch, bytes_run(text + 1, CURSOR_SIZE + 1)), -1);
    assert_int_equal(read_cursor(&epoch, bytes_run(text + 1, CURSOR_SIZE - 1)), -1);
    assert_int_equal(read_cursor(&epoch, bytes_run(NULL, 0)), -1);
}

static void another_epoch_or_secret_does_not_verify(void **state)
{
    (void)state;
    char text[CURSOR_SIZE];
    struct cursor_epoch others[3];
    cursor_epoch_create(&others[0], 43, seal, mask);
    cursor_epoch_create(&others[1], 42, (struct hash_key){1, 3}, mask);
    cursor_epoch_create(&others[2], 42, seal, (struct hash_key){3, 5});
    for (uint64_t position = 0; position < 1000; position++) {
        write_cursor(&epoch, position, text);
        for (size_t i = 0; i < COUNT(others); i++)
            assert_int_equal(read_cursor(&others[i], bytes_run(text, CURSOR_SIZE)), -1);
    }
}

/* A valid seal over a position that nobody can have is refused all the same. */
static void positions_beyond_the_order_are_refused(void **state)
{
    (void)state;
    char text[CURSOR_SIZE];
    const struct places places = {{(uint64_t)INT64_MAX + 1}};
    const uint64_t proof = seal_of(&epoch, &places);
    write_word(text, proof);
    write_word(text + 16, places.at[0] ^ mask_of(&epoch, proof, 0));
    assert_int_equal(read_cursor(&epoch, bytes_run(text, CURSOR_SIZE)), -1);
}

static void neighbours_share_nothing(void **state)
{
    (void)state;
    unsigned equal = 0;
    char a[CURSOR_SIZE], b[CURSOR_SIZE];
    for (uint64_t position = 0; position < 1000; position++) {
        write_cursor(&epoch, position, a), write_cursor(&epoch, position + 1, b);
        for (int at = 0; at < CURSOR_SIZE; at++) equal += a[at] == b[at];
    }
    assert_in_range(equal, 1700, 2300); /* chance: a digit in sixteen, 2000 of 32000 */
}

static void write_beyond(void)
{
    char text[CURSOR_SIZE];
    write_cursor(&epoch, (uint64_t)INT64_MAX + 1, text);
}

static void refuses_to_write_what_it_cannot_read(void **state)
{
    (void)state;
    assert_aborts(write_beyond);
}

/* ---- several servers ---- */

static const struct places several = {{5, 5, 0, INT64_MAX, 1 << 20, 5, 7, 8}};

static void holds_a_place_of_each_server(void **state)
{
    (void)state;
    for (epoch.servers = 1; epoch.servers <= CURSOR_SERVERS; epoch.servers++) {
        char text[CURSOR_MAX + 1];
        const size_t size = 16 * ((size_t)epoch.servers + 1);
        struct places places;
        text[size] = '!';
        assert_int_equal(cursor_write(&epoch, &several, text), size);
        assert_int_equal(text[size], '!');
        assert_true(cursor_read(&epoch, bytes_run(text, size), &places));
        for (uint32_t i = 0; i < CURSOR_SERVERS; i++)
            assert_true(places.at[i] == (i < epoch.servers ? several.at[i] : 0));
        epoch.servers++; /* for whom there are more, or fewer, it is nobody's */
        assert_false(epoch.servers <= CURSOR_SERVERS &&
                     cursor_read(&epoch, bytes_run(text, size), &places));
        epoch.servers--;
    }
    epoch.servers = 1;
}

static void no_part_of_it_can_be_changed(void **state)
{
    (void)state;
    char text[CURSOR_MAX];
    struct places places;
    epoch.servers = 3;
    const struct bytes cursor = bytes_run(text, cursor_write(&epoch, &several, text));
    for (size_t at = 0; at < cursor.size; at++) {
        const char kept = text[at];
        text[at] = kept == '0' ? '1' : '0';
        assert_false(cursor_read(&epoch, cursor, &places));
        text[at] = kept;
    }
    assert_true(cursor_read(&epoch, cursor, &places));
    char swapped[16]; /* two servers' places */
    memcpy(swapped, text + 16, 16), memcpy(text + 16, text + 32, 16), memcpy(text + 32, swapped, 16);
    assert_false(cursor_read(&epoch, cursor, &places));
    assert_false(cursor_read(&epoch, bytes_run(text, 48), &places));
    epoch.servers = 1;
}

static void equal_places_do_not_show(void **state)
{
    (void)state;
    char text[CURSOR_MAX];
    epoch.servers = 8;
    cursor_write(&epoch, &several, text);
    assert_memory_not_equal(text + 16, text + 32, 16);
    assert_memory_not_equal(text + 16, text + 16 * 6, 16);
    epoch.servers = 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(one_position_has_one_cursor),
        cmocka_unit_test(any_change_is_noticed),
        cmocka_unit_test(only_one_spelling_is_read),
        cmocka_unit_test(another_epoch_or_secret_does_not_verify),
        cmocka_unit_test(positions_beyond_the_order_are_refused),
        cmocka_unit_test(neighbours_share_nothing),
        cmocka_unit_test(refuses_to_write_what_it_cannot_read),
        cmocka_unit_test_setup(holds_a_place_of_each_server, set_up),
        cmocka_unit_test_setup(no_part_of_it_can_be_changed, set_up),
        cmocka_unit_test_setup(equal_places_do_not_show, set_up),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
