/* One fact, one line, whatever the texts hold. */
#include "base/line.c"

#include "base/json.h"
#include "ports/log.h"
#include "unit.h"

#define AT_MS 1795221972345 /* 2026-11-21T00:46:12.345Z */

static struct buf written;

static struct bytes line(enum line_form form, const struct line_field *fields, size_t count)
{
    buf_clear(&written);
    line_write(&written, form, AT_MS, "warn", "link lost", fields, count);
    return buf_bytes(&written);
}

static int tear_down(void **state)
{
    buf_destroy(&written);
    return nothing_left(state);
}

static void looks_like_this(void **state)
{
    (void)state;
    const struct line_field fields[] = {F_TEXT("upstream", "inbox"), F_NUMBER("status", -503),
                                        F_TEXT("url", "http://h/?a=b"), F_TEXT("none", ""),
                                        F_BYTES("detail", BYTES("idle 90 s"))};
    assert_text(line(LINE_PAIRS, fields, COUNT(fields)),
                "ts=2026-11-21T00:46:12.345Z level=warn msg=\"link lost\" upstream=inbox "
                "status=-503 url=\"http://h/?a=b\" none=\"\" detail=\"idle 90 s\"\n");
    assert_text(line(LINE_JSON, fields, COUNT(fields)),
                "{\"ts\":\"2026-11-21T00:46:12.345Z\",\"level\":\"warn\",\"msg\":\"link lost\","
                "\"upstream\":\"inbox\",\"status\":-503,\"url\":\"http://h/?a=b\",\"none\":\"\","
                "\"detail\":\"idle 90 s\"}\n");
    assert_text(line(LINE_PAIRS, NULL, 0),
                "ts=2026-11-21T00:46:12.345Z level=warn msg=\"link lost\"\n");
}

static void lines_follow_each_other(void **state)
{
    (void)state;
    buf_clear(&written);
    line_write(&written, LINE_PAIRS, 0, "info", "a", NULL, 0);
    line_write(&written, LINE_JSON, 0, "info", "b", NULL, 0);
    assert_text(buf_bytes(&written), "ts=1970-01-01T00:00:00.000Z level=info msg=a\n"
                                     "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\","
                                     "\"msg\":\"b\"}\n");
}

static void only_words_stand_bare(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        const struct line_field field = F_BYTES("k", bytes_run(text, 3));
        struct bytes all = line(LINE_PAIRS, &field, 1);
        const char *value = strstr(buf_text(&written), " k=") + 3;
        bool bare = c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
        assert_int_equal(*value != '"', bare);
        for (size_t i = 0; i + 1 < all.size; i++)
            assert_in_range((unsigned char)all.data[i], ' ', c < 0x80 ? '~' : 0xff);
        assert_int_equal(all.data[all.size - 1], '\n');
    }
}

static void what_viewers_obey_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"a\nlevel=error msg=forged", "\"a\\nlevel=error msg=forged\""},
        {"a\" level=error", "\"a\\\" level=error\""},
        {"a\\", "\"a\\\\\""},
        {"\x1b[2J\x7f", "\"\\u001b[2J\\u007f\""},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\"\\u0080\\u009b\\u009f\xc2\xa0\""},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae", "\"\\u2028\\u2029\\u202e\""},
        {"\xe2\x80\x8e\xe2\x80\x8f\xe2\x81\xa6\xe2\x81\xa9", "\"\\u200e\\u200f\\u2066\\u2069\""},
        {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa", /* their neighbours */
         "\"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\""},
        {"\x9b\xff", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc3\xa9\xe2\x82\xac", "\"\xc3\xa9\xe2\x82\xac\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct line_field field = F_TEXT("k", cases[i].text);
        struct buf want = BUF_EMPTY;
        buf_printf(&want, " k=%s\n", cases[i].value);
        struct bytes all = line(LINE_PAIRS, &field, 1);
        assert_bytes(bytes_run(all.data + all.size - want.size, want.size), buf_bytes(&want));
        buf_clear(&want);
        buf_printf(&want, ",\"k\":%s}\n", cases[i].value);
        all = line(LINE_JSON, &field, 1);
        assert_bytes(bytes_run(all.data + all.size - want.size, want.size), buf_bytes(&want));
        buf_destroy(&want);
    }
}

static void names_are_words(void **state)
{
    (void)state;
    const struct line_field field = F_NUMBER("a b=c\"\n_.-Z9\xc3", 1);
    struct bytes all = line(LINE_PAIRS, &field, 1);
    assert_non_null(strstr(buf_text(&written), " a_b_c___.-Z9_=1\n"));
    all = line(LINE_JSON, &field, 1);
    assert_non_null(strstr(buf_text(&written), ",\"a_b_c___.-Z9_\":1}\n"));
    assert_int_equal(all.data[all.size - 1], '\n');
}

static void any_bytes_make_one_line_of_json(void **state)
{
    (void)state;
    uint64_t chance = 3;
    for (int round = 0; round < 5000; round++) {
        char text[24];
        size_t size = draw_below(&chance, sizeof(text) + 1);
        for (size_t i = 0; i < size; i++)
            text[i] = draw_below(&chance, 3)
                          ? "\n\r\"\\\xe2\x80\xa8\xc2\x9b"[draw_below(&chance, 9)]
                          : (char)draw(&chance);
        const struct line_field field = F_BYTES("k", bytes_run(text, size));
        struct bytes all = line(LINE_JSON, &field, 1);
        struct json_object object;
        assert_true(json_scan_object(all, "k", &object));
        assert_true(object.has);
        assert_true(text_is_utf8(all));
        assert_ptr_equal(memchr(all.data, '\n', all.size), all.data + all.size - 1);
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static char text[LONGEST_TEXT + 1];
    memset(text, 'a', sizeof(text));
    struct line_field field = F_BYTES("k", bytes_run(text, LONGEST_TEXT));
    struct bytes all = line(LINE_PAIRS, &field, 1);
    assert_int_equal(all.data[all.size - 2], 'a');
    field = (struct line_field)F_BYTES("k", bytes_run(text, LONGEST_TEXT + 1));
    all = line(LINE_PAIRS, &field, 1);
    assert_text(bytes_run(all.data + all.size - 7, 7), "aa\xe2\x80\xa6\"\n");
    memcpy(text + LONGEST_TEXT - 2, "\xe2\x82\xac", 3); /* cut where a character would be */
    all = line(LINE_PAIRS, &field, 1);
    assert_text(bytes_run(all.data + all.size - 7, 7), "aa\xe2\x80\xa6\"\n");
    assert_true(text_is_utf8(all));
}

static void knows_the_calendar(void **state)
{
    (void)state;
    static const struct {
        uint64_t second;
        const char *date;
    } cases[] = {
        {951782399, "2000-02-28T23:59:59"},    {951782400, "2000-02-29T00:00:00"},
        {951868800, "2000-03-01T00:00:00"},    {1709164800, "2024-02-29T00:00:00"},
        {1735689599, "2024-12-31T23:59:59"},   {1735689600, "2025-01-01T00:00:00"},
        {4107542400, "2100-03-01T00:00:00"},   {4107542399, "2100-02-28T23:59:59"},
        {253402300799, "9999-12-31T23:59:59"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_clear(&written);
        line_time(&written, cases[i].second * 1000 + 7);
        assert_text(bytes_run(written.data, 19), cases[i].date);
        assert_text(bytes_run(written.data + 19, written.size - 19), ".007Z");
    }
}

static struct log counting;
static size_t wrote;

static void count_fields(struct log *log, enum log_level level, const char *message,
                         const struct log_field *fields, size_t count)
{
    assert_ptr_equal(log, &counting);
    assert_int_equal(level, LOG_WARN);
    buf_clear(&written);
    line_write(&written, LINE_PAIRS, AT_MS, "warn", message, fields, count);
    wrote += count;
}

static void the_log_port_hands_its_fields_on(void **state)
{
    (void)state;
    counting = (struct log){LOG_WARN, count_fields};
    LOG(&counting, LOG_INFO, "quiet", F_NUMBER("n", 1));
    assert_int_equal(wrote, 0);
    LOG(&counting, LOG_WARN, "loud", F_TEXT("who", (const char *)NULL), F_NUMBER("n", 2));
    assert_int_equal(wrote, 2);
    assert_text(buf_bytes(&written),
                "ts=2026-11-21T00:46:12.345Z level=warn msg=loud who=\"\" n=2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(looks_like_this, tear_down),
        cmocka_unit_test_teardown(lines_follow_each_other, tear_down),
        cmocka_unit_test_teardown(only_words_stand_bare, tear_down),
        cmocka_unit_test_teardown(what_viewers_obey_is_escaped, tear_down),
        cmocka_unit_test_teardown(names_are_words, tear_down),
        cmocka_unit_test_teardown(any_bytes_make_one_line_of_json, tear_down),
        cmocka_unit_test_teardown(long_texts_are_cut_between_characters, tear_down),
        cmocka_unit_test_teardown(knows_the_calendar, tear_down),
        cmocka_unit_test_teardown(the_log_port_hands_its_fields_on, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
