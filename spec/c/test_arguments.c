/* The words behind a command: options with and without values, and what is told
 * of wrong ones. */
#include "server/arguments.c"

#include "unit.h"

static const char *const OPTIONS[] = {"-c=", "--topic=", "--json", "-H=+", NULL};

static struct arguments arguments;
static char error[ERROR_SIZE];

static bool read_words(size_t count, const char **words)
{
    return arguments_read(&arguments, words, count, OPTIONS, 2, error);
}

static void options_and_words_in_any_order(void **state)
{
    (void)state;
    const char *words[] = {"one", "--topic", "room:1", "--json", "-c=a", "two"};
    assert_false(read_words(6, words)); /* one letter takes its value behind a space */
    const char *good[] = {"one", "--topic=room:1", "--json", "-c", "a", "two"};
    assert_true(read_words(6, good));
    assert_string_equal(arguments_get(&arguments, "--topic"), "room:1");
    assert_string_equal(arguments_get(&arguments, "--json"), "");
    assert_string_equal(arguments_get(&arguments, "-c"), "a");
    assert_null(arguments_get(&arguments, "--top"));
    assert_int_equal(arguments.word_count, 2);
    assert_string_equal(arguments.words[1], "two");
}

static void some_are_given_several_times(void **state)
{
    (void)state;
    const char *words[] = {"-H", "a: b", "--json", "-H", "c: d"};
    assert_true(read_words(5, words));
    assert_string_equal(arguments_get(&arguments, "-H"), "a: b");
    assert_string_equal(arguments_get_at(&arguments, "-H", 0), "a: b");
    assert_string_equal(arguments_get_at(&arguments, "-H", 1), "c: d");
    assert_null(arguments_get_at(&arguments, "-H", 2));
    assert_null(arguments_get_at(&arguments, "--topic", 0));
    const char *many[2 * ARGUMENTS_OPTIONS_MAX + 2];
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) many[i] = i % 2 ? "a: b" : "-H";
    assert_true(read_words(2 * ARGUMENTS_OPTIONS_MAX, many));
    assert_false(read_words(2 * ARGUMENTS_OPTIONS_MAX + 2, many));
    assert_string_equal(error, "'-H' is given too often");
}

static void behind_two_dashes_all_are_words(void **state)
{
    (void)state;
    const char *words[] = {"--", "--json", "-"};
    assert_true(read_words(3, words));
    assert_null(arguments_get(&arguments, "--json"));
    assert_int_equal(arguments.word_count, 2);
}

static void expect(const char *sentence, size_t count, const char **words)
{
    assert_false(read_words(count, words));
    assert_string_equal(error, sentence);
}

static void wrong_ones_are_named(void **state)
{
    (void)state;
    expect("unknown option '--topik'; did you mean '--topic'?", 1, (const char *[]){"--topik"});
    expect("unknown option '--nothing-like-it'", 1, (const char *[]){"--nothing-like-it"});
    expect("'--topic' needs a value", 1, (const char *[]){"--topic"});
    expect("'--json' takes no value", 1, (const char *[]){"--json=1"});
    expect("'-c' is given twice", 4, (const char *[]){"-c", "a", "-c", "b"});
    expect("'three' is one word too many", 3, (const char *[]){"one", "two", "three"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_in_any_order),
        cmocka_unit_test(some_are_given_several_times),
        cmocka_unit_test(behind_two_dashes_all_are_words),
        cmocka_unit_test(wrong_ones_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
