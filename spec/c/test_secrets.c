/* Pseudonyms, and finding what they stand for. */
#include "tape/secrets.c"

#include <stdio.h>

#include "unit.h"

static struct secrets *known;

static void name(const char *value, const char *pseudonym)
{
    struct buf out = BUF_EMPTY;
    secrets_name(known, bytes_of(value), &out);
    assert_text(buf_bytes(&out), pseudonym);
    buf_destroy(&out);
}

static void replaces(const char *text, const char *want)
{
    struct buf out = BUF_EMPTY;
    const bool any = secrets_replace(known, bytes_of(text), &out);
    assert_text(buf_bytes(&out), want);
    assert_int_equal(any, strcmp(text, want) != 0);
    buf_destroy(&out);
}

static int begin(void **state)
{
    (void)state;
    known = secrets_new(1000);
    return 0;
}

static int end(void **state)
{
    secrets_free(known);
    return nothing_left(state);
}

static void numbers_values_by_their_first_occurrence(void **state)
{
    (void)state;
    name("correct horse", "secret-1");
    name("battery staple", "secret-2");
    name("correct horse", "secret-1");
    name("", "");
    name("x", "secret-3");
    name("x", "secret-3");
    assert_int_equal(secrets_count(known), 3);
}

static void finds_known_values_in_any_text(void **state)
{
    (void)state;
    name("correct horse", "secret-1");
    replaces("", "");
    replaces("the correct horse, correct horse", "the secret-1, secret-1");
    replaces("correct horse", "secret-1");
    replaces("correct hors", "correct hors");
    replaces("Correct horse", "Correct horse");
    replaces("ccorrect horsee", "csecret-1e");
    replaces("/by/correct%20horse/x", "/by/secret-1/x");
    name("battery%20staple", "secret-2");
    replaces("battery staple, battery%20staple, battery%2520staple", "secret-2, secret-2, secret-2");
}

static void leaves_short_values_alone(void **state)
{
    (void)state;
    name("short", "secret-1");
    name("longer", "secret-2");
    replaces("a short one, a longer one", "a short one, a secret-2 one");
}

static void takes_the_longest_at_one_place(void **state)
{
    (void)state;
    name("abcdef", "secret-1");
    name("abcdefghi", "secret-2");
    name("abcdefgh", "secret-3");
    replaces("abcdefghi abcdefgh abcdefg abcdef", "secret-2 secret-3 secret-1g secret-1");
}

static void finds_each_of_many(void **state)
{
    (void)state;
    char value[32], text[64], want[64];
    for (int i = 0; i < 900; i++) {
        snprintf(value, sizeof(value), "value-%d.", i);
        snprintf(want, sizeof(want), "secret-%d", i + 1);
        name(value, want);
    }
    for (int i = 0; i < 900; i++) {
        snprintf(text, sizeof(text), "<value-%d.>", i);
        snprintf(want, sizeof(want), "<secret-%d>", i + 1);
        replaces(text, want);
    }
}

static void says_when_there_are_too_many(void **state)
{
    char value[32], want[32];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_false(secrets_full(known));
        snprintf(value, sizeof(value), "value %d", i);
        snprintf(want, sizeof(want), "secret-%d", i + 1);
        name(value, want);
    }
    name("value 7", "secret-8");
    assert_false(secrets_full(known));
    name("one more", "secret-0");
    assert_true(secrets_full(known));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_values_by_their_first_occurrence),
        TEST(finds_known_values_in_any_text),
        TEST(leaves_short_values_alone),
        TEST(takes_the_longest_at_one_place),
        TEST(finds_each_of_many),
        TEST(says_when_there_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
