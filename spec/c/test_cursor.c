/* Written, read, forged. */
#include "event/cursor.c"

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
        cursor_write(&epoch, positions[i], text);
        assert_int_equal(text[CURSOR_SIZE], '!');
        for (int at = 0; at < CURSOR_SIZE; at++)
            assert_non_null(strchr("0123456789abcdef", text[at]));
        assert_true(cursor_read(&epoch, bytes_run(text, CURSOR_SIZE)) == (int64_t)positions[i]);
    }
}

static void one_position_has_one_cursor(void **state)
{
    (void)state;
    char a[CURSOR_SIZE], b[CURSOR_SIZE];
    cursor_write(&epoch, 7, a), cursor_write(&epoch, 7, b);
    assert_memory_equal(a, b, CURSOR_SIZE);
}

static void any_change_is_noticed(void **state)
{
    (void)state;
    char text[CURSOR_SIZE];
    cursor_write(&epoch, 123456, text);
    for (int at = 0; at < CURSOR_SIZE; at++) {
        char kept = text[at];
        for (int c = 0; c < 256; c++) {
            text[at] = (char)c;
            bool whole = text[at] == kept;
            assert_int_equal(cursor_read(&epoch, bytes_run(text, CURSOR_SIZE)),
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
        cursor_write(&epoch, position, text + 1);
        for (int at = 1; at <= CURSOR_SIZE; at++) {
            if (text[at] < 'a') continue;
            text[at] = (char)(text[at] - 'a' + 'A');
            changed = true;
        }
        assert_int_equal(cursor_read(&epoch, bytes_run(text + 1, CURSOR_SIZE)), -1);
    }
    assert_true(changed);
    cursor_write(&epoch, 5, text + 1);
    text[0] = text[CURSOR_SIZE + 1] = '0';
    assert_int_equal(cursor_read(&epoch, bytes_run(text + 1, CURSOR_SIZE)), 5);
    assert_int_equal(cursor_read(&epoch, bytes_run(text, CURSOR_SIZE + 1)), -1);
    assert_int_equal(cursor_read(&epoch, bytes_run(text + 1, CURSOR_SIZE + 1)), -1);
    assert_int_equal(cursor_read(&epoch, bytes_run(text + 1, CURSOR_SIZE - 1)), -1);
    assert_int_equal(cursor_read(&epoch, bytes_run(NULL, 0)), -1);
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
        cursor_write(&epoch, position, text);
        for (size_t i = 0; i < COUNT(others); i++)
            assert_int_equal(cursor_read(&others[i], bytes_run(text, CURSOR_SIZE)), -1);
    }
}

/* A valid seal over a position that nobody can have is refused all the same. */
static void positions_beyond_the_order_are_refused(void **state)
{
    (void)state;
    char text[CURSOR_SIZE];
    uint64_t position = (uint64_t)INT64_MAX + 1, proof = seal_of(&epoch, position);
    write_word(text, proof);
    write_word(text + 16, position ^ mask_of(&epoch, proof));
    assert_int_equal(cursor_read(&epoch, bytes_run(text, CURSOR_SIZE)), -1);
}

static void neighbours_share_nothing(void **state)
{
    (void)state;
    unsigned equal = 0;
    char a[CURSOR_SIZE], b[CURSOR_SIZE];
    for (uint64_t position = 0; position < 1000; position++) {
        cursor_write(&epoch, position, a), cursor_write(&epoch, position + 1, b);
        for (int at = 0; at < CURSOR_SIZE; at++) equal += a[at] == b[at];
    }
    assert_in_range(equal, 1700, 2300); /* chance: a digit in sixteen, 2000 of 32000 */
}

static void write_beyond(void)
{
    char text[CURSOR_SIZE];
    cursor_write(&epoch, (uint64_t)INT64_MAX + 1, text);
}

static void refuses_to_write_what_it_cannot_read(void **state)
{
    (void)state;
    assert_aborts(write_beyond);
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
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
