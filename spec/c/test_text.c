/* Judgements, encodings, distances. */
#include "base/text.c"

#include "unit.h"

static void knows_what_breaks_a_line(void **state)
{
    (void)state;
    assert_false(text_breaks_line(bytes_run(NULL, 0)));
    assert_false(text_breaks_line(BYTES("a b\t\x7f\xff")));
    assert_true(text_breaks_line(BYTES("a\n")));
    assert_true(text_breaks_line(BYTES("\ra")));
    assert_true(text_breaks_line(BYTES("a\0b")));
}

static void knows_a_session_tag(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'a', sizeof(longest));
    assert_true(text_is_tag(BYTES("azAZ09_-azAZ09_-")));
    assert_true(text_is_tag(bytes_run(longest, 64)));
    assert_false(text_is_tag(bytes_run(longest, 65)));
    assert_false(text_is_tag(bytes_run(longest, 15)));
    for (int c = 0; c < 256; c++) {
        longest[7] = (char)c;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        assert_int_equal(text_is_tag(bytes_run(longest, 20)), letter || c == '_' || c == '-');
    }
}

/* Every code point encoded by the definition is well-formed; a naive decoder agrees on all
 * sequences of up to three bytes, and on four with chosen ends. */
static int naive_sequence(const unsigned char *c, size_t size)
{
    unsigned code, least_code;
    size_t want;
    if (c[0] < 0x80) return 1;
    if ((c[0] & 0xe0) == 0xc0)
        want = 2, code = c[0] & 0x1fu, least_code = 0x80;
    else if ((c[0] & 0xf0) == 0xe0)
        want = 3, code = c[0] & 0x0fu, least_code = 0x800;
    else if ((c[0] & 0xf8) == 0xf0)
        want = 4, code = c[0] & 0x07u, least_code = 0x10000;
    else
        return 0;
    if (size < want) return 0;
    for (size_t i = 1; i < want; i++) {
        if ((c[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (c[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least_code || code > 0x10ffff || surrogate ? 0 : (int)want;
}

static bool naive_utf8(const unsigned char *c, size_t size)
{
    for (size_t at = 0; at < size;) {
        int step = naive_sequence(c + at, size - at);
        if (!step) return false;
        at += (size_t)step;
    }
    return true;
}

static void knows_utf8(void **state)
{
    (void)state;
    static const unsigned char thirds[] = {0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            for (size_t third = 0; third < COUNT(thirds); third++) {
                for (size_t fourth = 0; fourth < COUNT(thirds); fourth++) {
                    unsigned char c[4] = {(unsigned char)first, (unsigned char)second,
                                          thirds[third], thirds[fourth]};
                    for (size_t size = 1; size <= 4; size++)
                        if (text_is_utf8(bytes_run((char *)c, size)) != naive_utf8(c, size))
                            fail_msg("%02x %02x %02x %02x, %zu", c[0], c[1], c[2], c[3], size);
                }
            }
        }
    }
    assert_true(text_is_utf8(bytes_run(NULL, 0)));
    assert_true(text_is_utf8(BYTES("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80")));
}

static void percent_encoding_keeps_only_the_unreserved(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    buf_add_text(&out, "user:");
    text_percent_encode(&out, BYTES("https://posta.no/@bob~A-z_0.9 %\xc3\xa9\0"));
    assert_text(buf_bytes(&out), "user:https%3A%2F%2Fposta.no%2F%40bob~A-z_0.9%20%25%C3%A9%00");
    buf_destroy(&out);
}

static void decoding_undoes_encoding(void **state)
{
    (void)state;
    struct buf encoded = BUF_EMPTY, decoded = BUF_EMPTY;
    char all[255];
    for (int i = 0; i < 255; i++) all[i] = (char)(i + 1);
    text_percent_encode(&encoded, bytes_run(all, sizeof(all)));
    assert_true(text_percent_decode(&decoded, buf_bytes(&encoded), true));
    assert_bytes(buf_bytes(&decoded), bytes_run(all, sizeof(all)));
    buf_destroy(&encoded), buf_destroy(&decoded);
}

static void decodes_or_leaves_untouched(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    buf_add_text(&out, "=");
    assert_true(text_percent_decode(&out, BYTES("a+b%2b%2B%2f"), false));
    assert_true(text_percent_decode(&out, BYTES("|a+b%2b"), true));
    assert_text(buf_bytes(&out), "=a+b++/|a b+");
    const struct bytes broken[] = {BYTES("ok%"),   BYTES("ok%4"), BYTES("ok%4g"), BYTES("ok%g4"),
                                   BYTES("ok%00"), BYTES("ok\0"), BYTES("%%41"),  BYTES("ok%-1")};
    for (size_t i = 0; i < COUNT(broken); i++) {
        assert_false(text_percent_decode(&out, broken[i], true));
        assert_text(buf_bytes(&out), "=a+b++/|a b+");
    }
    /* An escape that a longer text would complete is not read beyond the end. */
    assert_false(text_percent_decode(&out, bytes_run("%41", 2), false));
    buf_destroy(&out);
}

static void queries_are_searched_by_decoded_name(void **state)
{
    (void)state;
    static const struct {
        const char *query, *value; /* NULL: false */
    } cases[] = {
        {"a=1", "1"},         {"b=2&a=1", "1"}, {"aa=2&a=1", "1"},
        {"a=1&a=2", "1"},     {"a", ""},        {"a=", ""},
        {"&&a=x=y&", "x=y"},  {"%61=1", "1"},   {"a=x+y%26z", "x y&z"},
        {"", NULL},           {"b=a=1", NULL},  {"A=1", NULL},
        {"a=%", NULL},        {"a=%00", NULL},  {"%=1&a=2", "2"},
        {"a=1;b=2", "1;b=2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_EMPTY;
        assert_int_equal(text_query_get(bytes_of(cases[i].query), "a", &out),
                         cases[i].value != NULL);
        assert_text(buf_bytes(&out), cases[i].value ? cases[i].value : "");
        buf_destroy(&out);
    }
    struct buf out = BUF_EMPTY;
    assert_true(text_query_get(BYTES("last+event%5Fid=7"), "last event_id", &out));
    assert_text(buf_bytes(&out), "7");
    buf_destroy(&out);
}

static void a_query_is_whole_or_broken(void **state)
{
    (void)state;
    static const char *const whole[] = {"", "a", "a=1&b", "a=%41+%20&&=", "a=b=c", "a%3D=1"};
    static const char *const broken[] = {"a=%", "a=%4", "a=%zz&b=1", "a=1&%zz", "a=%00", "b=c=%g0"};
    for (size_t i = 0; i < COUNT(whole); i++) assert_true(text_query_is_whole(bytes_of(whole[i])));
    for (size_t i = 0; i < COUNT(broken); i++)
        assert_false(text_query_is_whole(bytes_of(broken[i])));
}

static void json_strings_are_well_formed_whatever_comes(void **state)
{
    (void)state;
    static const struct {
        struct bytes text;
        const char *json;
    } cases[] = {
        {BYTES(""), "\"\""},
        {BYTES("plain / text"), "\"plain / text\""},
        {BYTES("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {BYTES("\b\f\n\r\t\0\x01\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\x7f\""},
        {BYTES("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        /* One U+FFFD for each maximal subpart: Unicode 15, section 3.9, tables 3-8 to 3-11. */
        {BYTES("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"),
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
         "\xef\xbf\xbd\x41\""},
        {BYTES("\xed\xa0\x80\x41"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41\""},
        {BYTES("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"),
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41\""},
        {BYTES("cut \xf0\x9f\x98"), "\"cut \xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_EMPTY;
        buf_add_char(&out, '=');
        text_json_string(&out, cases[i].text);
        assert_int_equal(out.data[0], '=');
        assert_text(bytes_run(out.data + 1, out.size - 1), cases[i].json);
        buf_destroy(&out);
    }
}

static void compares(void **state)
{
    (void)state;
    assert_true(text_equal_secret(BYTES(""), bytes_run(NULL, 0)));
    assert_true(text_equal_secret(BYTES("s\0cret"), BYTES("s\0cret")));
    assert_false(text_equal_secret(BYTES("secret"), BYTES("secreT")));
    assert_false(text_equal_secret(BYTES("secret"), BYTES("Secret")));
    assert_false(text_equal_secret(BYTES("secret"), BYTES("secre")));
    assert_false(text_equal_secret(BYTES("\x80"), BYTES("\0")));
    assert_true(text_equal_nocase(BYTES("Content-TYPE\x80"), BYTES("cONTENT-type\x80")));
    assert_false(text_equal_nocase(BYTES("@[`{"), BYTES("`{@["))); /* around the letters */
    assert_false(text_equal_nocase(BYTES("abc"), BYTES("abcd")));
    assert_false(text_equal_nocase(BYTES("\xc3\x89"), BYTES("\xc3\xa9"))); /* ASCII only */
}

static void finds_the_name_that_was_meant(void **state)
{
    (void)state;
    static const char *const keys[] = {"listen",    "admin",   "rules", "id",
                                       "heartbeat", "history", NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"listen", "listen"},
        {"lsiten", "listen"},
        {"lisen", "listen"},
        {"listten", "listen"},
        {"liszen", "listen"},
        {"hearbeat", "heartbeat"},
        {"heartebat", "heartbeat"},
        {"histroy", "history"},
        {"rule", "rules"},
        {"di", "id"},
        {"listener____", NULL},
        {"x", NULL},
        {"", NULL},
        {"port", NULL},
        {"workers", NULL},
        {"Admin", "admin"},
        {"hertbaet", "heartbeat"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *nearest = text_nearest(cases[i].word, keys);
        if (!cases[i].nearest)
            assert_string_equal(nearest ? nearest : "(none)", "(none)");
        else
            assert_string_equal(nearest ? nearest : "(none)", cases[i].nearest);
    }
}

static void measures_distances(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t far;
    } cases[] = {
        {"", "", 0},         {"", "abc", 3},      {"kitten", "sitting", 3},
        {"ab", "ba", 1},     {"abcd", "badc", 2}, {"ca", "abc", 3} /* restricted: 2 without */,
        {"flaw", "lawn", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *a = cases[i].a, *b = cases[i].b;
        assert_int_equal(distance(a, strlen(a), b, strlen(b)), cases[i].far);
        assert_int_equal(distance(b, strlen(b), a, strlen(a)), cases[i].far);
    }
}

static void overlong_words_are_near_nothing(void **state)
{
    (void)state;
    char word[LONGEST_WORD + 2];
    memset(word, 'a', sizeof(word));
    word[LONGEST_WORD + 1] = '\0';
    const char *candidates[] = {word, NULL};
    assert_null(text_nearest(word, candidates));
    assert_ptr_equal(text_nearest(word + 1, (const char *[]){word + 1, NULL}), word + 1);
    assert_null(text_nearest("a", (const char *[]){NULL}));
}

static void of_equally_near_names_the_first_is_meant(void **state)
{
    (void)state;
    assert_string_equal(text_nearest("hat", (const char *[]){"nothing", "bat", "cat", NULL}),
                        "bat");
}

static void reads_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long long max, number;
    } cases[] = {
        {"0", 10, 0},
        {"10", 10, 10},
        {"11", 10, -1},
        {"007", 7, 7},
        {"8", 7, -1},
        {"", 10, -1},
        {"-1", 10, -1},
        {"+1", 10, -1},
        {" 1", 10, -1},
        {"1 ", 10, -1},
        {"1a", 100, -1},
        {"0", 0, 0},
        {"1", 0, -1},
        {"/", 99, -1},
        {":", 99, -1},
        {"9223372036854775807", INT64_MAX, INT64_MAX},
        {"9223372036854775808", INT64_MAX, -1},
        {"99999999999999999999", INT64_MAX, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(text_number(bytes_of(cases[i].text), cases[i].max) == cases[i].number);
    assert_int_equal(text_number(BYTES("1\0"), 10), -1);
}

static void takes_numbers_off_the_front(void **state)
{
    (void)state;
    struct bytes text = BYTES("12 0 x");
    uint64_t number;
    assert_true(text_take_number(&text, ' ', &number) && number == 12);
    assert_true(text_take_number(&text, ' ', &number) && number == 0);
    assert_true(bytes_is(text, "x"));
    assert_false(text_take_number(&text, ' ', &number)); /* no mark */
    static const char *const bad[] = {"", " ", "x 1", "-1 ", "99999999999999999999 "};
    for (size_t i = 0; i < COUNT(bad); i++) {
        text = bytes_of(bad[i]);
        assert_false(text_take_number(&text, ' ', &number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_breaks_a_line),
        cmocka_unit_test(knows_a_session_tag),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test_teardown(percent_encoding_keeps_only_the_unreserved, nothing_left),
        cmocka_unit_test_teardown(decoding_undoes_encoding, nothing_left),
        cmocka_unit_test_teardown(decodes_or_leaves_untouched, nothing_left),
        cmocka_unit_test_teardown(queries_are_searched_by_decoded_name, nothing_left),
        cmocka_unit_test_teardown(a_query_is_whole_or_broken, nothing_left),
        cmocka_unit_test_teardown(json_strings_are_well_formed_whatever_comes, nothing_left),
        cmocka_unit_test(compares),
        cmocka_unit_test(finds_the_name_that_was_meant),
        cmocka_unit_test(measures_distances),
        cmocka_unit_test(overlong_words_are_near_nothing),
        cmocka_unit_test(of_equally_near_names_the_first_is_meant),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(takes_numbers_off_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
