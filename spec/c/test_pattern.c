/* Patterns: what loads, what matches, which of two overlap; names read back to their values. */
#include "plan/pattern.c"

#include "unit.h"

/* A pattern that is known to be good. */
static struct pattern *make(enum pattern_kind kind, const char *text)
{
    const char *error = NULL;
    struct pattern *pattern = pattern_new(kind, bytes_of(text), &error);
    assert_non_null(pattern);
    assert_null(error);
    return pattern;
}

static void refuses(enum pattern_kind kind, const char *text, const char *sentence)
{
    const char *error = NULL;
    assert_null(pattern_new(kind, bytes_of(text), &error));
    assert_string_equal(error, sentence);
}

static void says_what_is_wrong_with_a_pattern(void **state)
{
    (void)state;
    char longest[202];
    memset(longest, 'a', sizeof(longest));
    longest[201] = '\0';
    refuses(PATTERN_TOPIC, "", "is empty");
    refuses(PATTERN_TOPIC, longest, "is longer than 200 characters");
    refuses(PATTERN_TOPIC, "a{b", "has a '{' without its '}'");
    refuses(PATTERN_TOPIC, "a}b", "may hold printable ASCII without spaces, '%' and a lone '}'");
    refuses(PATTERN_TOPIC, "a%20b", "may hold printable ASCII without spaces, '%' and a lone '}'");
    refuses(PATTERN_TOPIC, "a b", "may hold printable ASCII without spaces, '%' and a lone '}'");
    refuses(PATTERN_TOPIC, "a{}", "has a parameter without a name");
    refuses(PATTERN_TOPIC, "{a-b}", "has a parameter name with other than [A-Za-z0-9_]");
    refuses(PATTERN_TOPIC, "{a}{b}", "has two parameters with nothing between them");
    refuses(PATTERN_TOPIC, "{a}.{a}", "names one parameter twice");
    refuses(PATTERN_TOPIC, "{a}.{b}.{c}.{d}.{e}.{f}.{g}.{h}.{i}", "has more than 8 parameters");
    refuses(PATTERN_PATH, "threads", "must begin with '/'");
    refuses(PATTERN_PATH, "/a{b}", "has a parameter that is not a whole path segment");
    refuses(PATTERN_PATH, "/{b}a", "has a parameter that is not a whole path segment");
}

static void knows_its_parameters(void **state)
{
    (void)state;
    struct pattern *pattern = make(PATTERN_TOPIC, "board.{project}:{column}");
    assert_text(pattern_text(pattern), "board.{project}:{column}");
    assert_int_equal(pattern_params(pattern), 2);
    assert_text(pattern_param(pattern, 0), "project");
    assert_text(pattern_param(pattern, 1), "column");
    assert_int_equal(pattern_literals(pattern), 7);
    pattern_free(pattern);
}

/* The values that a name gives, with '|' between them; NULL: it does not match. */
static void matches(enum pattern_kind kind, const char *text, const char *name, const char *values)
{
    struct pattern *pattern = make(kind, text);
    struct pattern_match match;
    bool matched = pattern_match(pattern, bytes_of(name), &match);
    if (matched == !values) print_error("%s and %s\n", text, name);
    assert_int_equal(matched, values != NULL);
    if (matched) {
        struct buf all = BUF_EMPTY;
        for (size_t i = 0; i < match.count; i++) {
            if (i) buf_add_char(&all, '|');
            buf_add_bytes(&all, match.values[i]);
        }
        assert_text(buf_bytes(&all), values);
        buf_destroy(&all);
        pattern_match_destroy(&match);
    }
    pattern_free(pattern);
}

static void matches_topics(void **state)
{
    (void)state;
    matches(PATTERN_TOPIC, "news", "news", "");
    matches(PATTERN_TOPIC, "news", "newsletter", NULL);
    matches(PATTERN_TOPIC, "news", "new", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:ann", "ann");
    matches(PATTERN_TOPIC, "user:{user}", "user:", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:a:b", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:a%3Ab", "a:b");
    matches(PATTERN_TOPIC, "{a}.{b}", "x.y", "x|y");
    matches(PATTERN_TOPIC, "{a}.{b}", "x%2Ez.y", "x.z|y");
    matches(PATTERN_TOPIC, "{a}.{b}", "x.y.z", "x|y.z");
}

static void gives_a_topic_one_spelling(void **state)
{
    (void)state;
    matches(PATTERN_TOPIC, "user:{user}", "user:%61nn", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:a%3ab", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:%00", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:a%3", NULL);
    matches(PATTERN_TOPIC, "user:{user}", "user:a%", NULL);
    matches(PATTERN_TOPIC, "{a}.{b}", "x.y%2Ez", NULL);
}

static void takes_escapes_whole(void **state)
{
    (void)state;
    matches(PATTERN_TOPIC, "room:{id}0", "room:%300", "0");
    matches(PATTERN_TOPIC, "room:{id}2x", "room:a%2F2x", "a/");
    matches(PATTERN_TOPIC, "room:{id}F", "room:%2F", NULL);
}

static void matches_paths(void **state)
{
    (void)state;
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads/bob/open", "bob");
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads/https%3A%2F%2Fposta.no%2F%40bob/open",
            "https://posta.no/@bob");
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads/a%2fb/open", "a/b");
    matches(PATTERN_PATH, "/threads/{peer}/open", "/thread%73/b/open", "b");
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads//open", NULL);
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads/a/b/open", NULL);
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads%2Fb/open", NULL);
    matches(PATTERN_PATH, "/threads/{peer}/open", "/threads/b/open/", NULL);
    matches(PATTERN_PATH, "/threads/{peer}", "/threads/a%zz", NULL);
    matches(PATTERN_PATH, "/", "/", "");
}

static void reads_back_what_it_writes(void **state)
{
    (void)state;
    static const char *const texts[] = {"user:{a}", "{a}.{b}", "x{a}0{b}A", "{a}-{b}~", "p{a}_{b}9"};
    uint64_t chance = 7;
    for (size_t i = 0; i < 2000; i++) {
        struct pattern *pattern = make(PATTERN_TOPIC, texts[i % COUNT(texts)]);
        char drawn[2][8];
        struct bytes values[2];
        for (size_t v = 0; v < 2; v++) {
            size_t size = 1 + draw_below(&chance, sizeof(drawn[v]));
            for (size_t c = 0; c < size; c++) drawn[v][c] = (char)(1 + draw_below(&chance, 255));
            values[v] = bytes_run(drawn[v], size);
        }
        struct buf name = BUF_EMPTY;
        struct pattern_match match;
        pattern_format(pattern, values, &name);
        assert_true(pattern_match(pattern, buf_bytes(&name), &match));
        for (size_t v = 0; v < match.count; v++) assert_bytes(match.values[v], values[v]);
        pattern_match_destroy(&match);
        buf_destroy(&name);
        pattern_free(pattern);
    }
}

static void overlap(enum pattern_kind kind, const char *a, const char *b, bool expected)
{
    struct pattern *one = make(kind, a), *other = make(kind, b);
    if (pattern_overlaps(one, other) != expected) print_error("%s and %s\n", a, b);
    assert_int_equal(pattern_overlaps(one, other), expected);
    assert_int_equal(pattern_overlaps(other, one), expected);
    pattern_free(one);
    pattern_free(other);
}

static void knows_which_overlap(void **state)
{
    (void)state;
    overlap(PATTERN_TOPIC, "news", "news", true);
    overlap(PATTERN_TOPIC, "news", "new", false);
    overlap(PATTERN_TOPIC, "user:{a}", "user:ann", true);
    overlap(PATTERN_TOPIC, "user:{a}", "group:{a}", false);
    overlap(PATTERN_TOPIC, "{a}:x", "user:{b}", true);
    overlap(PATTERN_TOPIC, "{a}:x", "user:{b}y", false);
    overlap(PATTERN_TOPIC, "{a}.{b}", "{a}", true);
    overlap(PATTERN_TOPIC, "{a}:{b}", "{a}", false);
    overlap(PATTERN_PATH, "/a/{b}", "/{a}/b", true);
    overlap(PATTERN_PATH, "/a/{b}", "/a/b/c", false);
    overlap(PATTERN_PATH, "/a/{b}/c", "/a/{b}/d", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong_with_a_pattern),
        cmocka_unit_test(knows_its_parameters),
        cmocka_unit_test(matches_topics),
        cmocka_unit_test(gives_a_topic_one_spelling),
        cmocka_unit_test(takes_escapes_whole),
        cmocka_unit_test(matches_paths),
        cmocka_unit_test(reads_back_what_it_writes),
        cmocka_unit_test(knows_which_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
