/* The letter of WHATWG HTML 9.2.5 and 9.2.6, however the bytes are cut. */
#include "event/parser.c"

#include <time.h>

#include "sse_reference.h"
#include "unit.h"

enum { LIMIT = 1 << 20 };

/* What the parser under test told; `plain` is for reading: type|data|id; */
static struct buf story, plain;
static struct sse_parser parser;
static int stop_after; /* events, if not 0 */

static void told_event(void *owner, const struct sse_event *event)
{
    assert_ptr_equal(owner, &parser);
    tell_event(&story, event->type, event->data, event->id);
    buf_add_bytes(&plain, event->type), buf_add_char(&plain, '|');
    buf_add_bytes(&plain, event->data), buf_add_char(&plain, '|');
    buf_add_bytes(&plain, event->id), buf_add_char(&plain, ';');
    assert_bytes(buf_bytes(&parser.last_id), event->id);
    if (stop_after && --stop_after == 0) sse_parser_stop(&parser);
}

static void told_retry(void *owner, uint64_t retry_ms)
{
    assert_ptr_equal(owner, &parser);
    tell_retry(&story, retry_ms);
    buf_printf(&plain, "retry %llu;", (unsigned long long)retry_ms);
}

static const struct sse_parser_events events = {told_event, told_retry};

static void start(size_t limit_bytes)
{
    buf_clear(&story);
    buf_clear(&plain);
    sse_parser_create(&parser, limit_bytes, &events, &parser);
}

static void finish(void)
{
    sse_parser_destroy(&parser);
}

static int tear_down(void **state)
{
    buf_destroy(&story);
    buf_destroy(&plain);
    return nothing_left(state);
}

/* Feeds a copy that is gone afterwards, so that a borrowed byte kept too long is an error. */
static enum sse_result feed(const char *data, size_t size)
{
    char *copy = xmemdup(data, size);
    enum sse_result result = sse_parser_feed(&parser, bytes_run(copy, size));
    xfree(copy);
    return result;
}

/* The stream tells this, in one piece, byte by byte, and cut at any two places. */
static void assert_tells_at(struct bytes stream, struct bytes want, const char *file, int line)
{
    for (size_t first = 0; first <= stream.size; first++) {
        for (size_t second = first; second <= stream.size; second++) {
            start(LIMIT);
            feed(stream.data, first);
            feed(stream.data + first, second - first);
            feed(stream.data + second, stream.size - second);
            finish();
            if (!bytes_equal(buf_bytes(&plain), want))
                print_error("cut at %zu, %zu\n", first, second);
            assert_bytes_at(buf_bytes(&plain), want, file, line);
        }
    }
    start(LIMIT);
    for (size_t i = 0; i < stream.size; i++) feed(stream.data + i, 1);
    finish();
    assert_bytes_at(buf_bytes(&plain), want, file, line);
}

#define assert_tells(stream, want) assert_tells_at(BYTES(stream), BYTES(want), __FILE__, __LINE__)

static void the_examples_of_the_text(void **state)
{
    (void)state;
    assert_tells("data: YHOO\ndata: +2\ndata: 10\n\n", "message|YHOO\n+2\n10|;");
    assert_tells(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
                 "data:  third event\n\n",
                 "message|first event|1;message|second event|;message| third event|;");
    assert_tells("data\n\ndata\ndata\n\ndata:\n",
                 "message||;message|\n|;"); /* the last is unfinished */
    assert_tells("data:test\n\ndata: test\n\n", "message|test|;message|test|;");
    assert_tells("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
                 "add|73857293|;remove|2153|;");
}

static void line_ends_of_every_kind(void **state)
{
    (void)state;
    assert_tells("data:a\rdata:b\ndata:c\r\ndata:d\r\r", "message|a\nb\nc\nd|;");
    assert_tells("data:a\r\n\r\ndata:b\n\rdata:c\r\n\ndata:d\r\n\r",
                 "message|a|;message|b|;message|c|;message|d|;");
    assert_tells("\n\n\r\r\r\n\r\ndata:a\n\n", "message|a|;");
    assert_tells("data:a\v\fb\xc2\x85\xe2\x80\xa8"
                 "c\n\n",
                 "message|a\v\fb\xc2\x85\xe2\x80\xa8"
                 "c|;");
}

static void the_byte_order_mark(void **state)
{
    (void)state;
    assert_tells("\xef\xbb\xbf"
                 "data:a\n\n",
                 "message|a|;");
    assert_tells("\xef\xbb\xbf\xef\xbb\xbf"
                 "data:a\n\ndata:b\n\n",
                 "message|b|;"); /* one only */
    assert_tells("data:a\n\n\xef\xbb\xbf"
                 "data:b\n\n",
                 "message|a|;"); /* only at the start */
    assert_tells("\n\xef\xbb\xbf"
                 "data:b\n\n",
                 "");
    assert_tells("\xef\xbb"
                 "data:a\n\ndata:b\n\n",
                 "message|b|;");
    assert_tells("\xef\n\ndata:b\n\n", "message|b|;");
    assert_tells("\xef\xbb\xbf", "");
}

static void comments_and_unknown_fields(void **state)
{
    (void)state;
    assert_tells(":\n:data:x\n: \n:::\ndata:a\n\n", "message|a|;");
    assert_tells(
        "Data:x\nDATA\n data:x\ndata :x\ndat:x\ndata2:x\ndatadata\nfoo\nfoo:bar\nidx:1\n\n", "");
    assert_tells("data:a\nfoo:b\n:c\ndata:d\n\n", "message|a\nd|;");
}

static void one_space_and_no_more_is_taken_away(void **state)
{
    (void)state;
    assert_tells("data:  a \n\ndata:\ta\n\ndata: \n\ndata:a: b:\n\n",
                 "message| a |;message|\ta|;message||;message|a: b:|;");
    assert_tells("event:  x\nid:  1\ndata\n\n", " x|| 1;");
}

static void types(void **state)
{
    (void)state;
    assert_tells("event:a\nevent:b\ndata:x\n\ndata:y\n\n", "b|x|;message|y|;");
    assert_tells("event:a\n\ndata:y\n\n", "message|y|;"); /* no data: forgotten */
    assert_tells("event:a\nevent\ndata:y\n\n", "message|y|;");
    assert_tells("event:a\nevent:\ndata:y\n\n", "message|y|;");
    assert_tells("event:a\xff\0b\ndata:y\n\n", "a\xff\0b|y|;");
}

static void ids(void **state)
{
    (void)state;
    assert_tells("id:1\ndata:a\n\ndata:b\n\nid\ndata:c\n\nid:\ndata:d\n\n",
                 "message|a|1;message|b|1;message|c|;message|d|;");
    assert_tells("id:1\nid:2\ndata:a\n\n", "message|a|2;");
    assert_tells("id:1\n\ndata:a\n\n", "message|a|1;"); /* a block without data moves it too */
    assert_tells("id:1\ndata:a\n\nid:2\0\ndata:b\n\nid:\0\ndata:c\n\n",
                 "message|a|1;message|b|1;message|c|1;");
    start(LIMIT);
    feed("id:7\n", 5);
    assert_int_equal(parser.last_id.size, 0); /* not before the block ends */
    feed("\n", 1);
    assert_text(buf_bytes(&parser.last_id), "7");
    finish();
}

static void retries(void **state)
{
    (void)state;
    assert_tells("retry:10\nretry: 0\nretry:007\n", "retry 10;retry 0;retry 7;");
    assert_tells(
        "retry\nretry:\nretry: \nretry:1 \nretry:  1\nretry:-1\nretry:+1\nretry:1.5\nretry:1e3\n"
        "retry:0x1\nretry:\xd9\xa1\nretry:1\0\n\n",
        "");
    assert_tells(
        "retry:9223372036854775806\nretry:9223372036854775807\nretry:9223372036854775808\n",
        "retry 9223372036854775806;retry 9223372036854775807;retry 9223372036854775807;");
    assert_tells("retry:99999999999999999999999999999999\n", "retry 9223372036854775807;");
    assert_tells("retry:99999999999999999999999999999999x\n", "");
}

static void what_is_unfinished_is_not_told(void **state)
{
    (void)state;
    assert_tells("data:a", "");
    assert_tells("data:a\n", "");
    assert_tells("id:1\ndata:a\n\ndata:b\n", "message|a|1;");
    assert_tells("retry:5", "");
}

static void bytes_pass_through(void **state)
{
    (void)state;
    assert_tells("data:\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc0\n\n",
                 "message|\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc0|;");
    assert_tells("data:a\0b\0\n\n", "message|a\0b\0|;");
}

static void agrees_with_the_reference_on_any_stream(void **state)
{
    (void)state;
    static const char *const parts[] = {"data",
                                        "data:",
                                        "data: ",
                                        "event:",
                                        "event: x",
                                        "id:",
                                        "id: 7",
                                        "id",
                                        "retry:",
                                        "retry: 12",
                                        ":",
                                        " ",
                                        "\n",
                                        "\n",
                                        "\r",
                                        "\r\n",
                                        "\n\n",
                                        "\r\n\r\n",
                                        "\xef\xbb\xbf",
                                        "\xef",
                                        "\xbb",
                                        "\xbf",
                                        "a",
                                        "b",
                                        "9",
                                        "\xe2\x82\xac",
                                        "data: one\ndata: two\n\n"};
    uint64_t seed = 42;
    size_t told = 0;
    for (int round = 0; round < 4000; round++) {
        struct buf stream = BUF_EMPTY, want = BUF_EMPTY, last_id = BUF_EMPTY;
        for (uint64_t i = draw_below(&seed, 40); i; i--) {
            if (draw_below(&seed, 20) == 0) buf_add_char(&stream, '\0');
            buf_add_text(&stream, parts[draw_below(&seed, COUNT(parts))]);
        }
        reference_parse(buf_bytes(&stream), &want, &last_id);
        start(LIMIT);
        for (size_t at = 0, size; at < stream.size; at += size) {
            size = 1 + draw_below(&seed, draw_below(&seed, 2) ? 4 : stream.size);
            if (size > stream.size - at) size = stream.size - at;
            assert_int_equal(feed(stream.data + at, size), SSE_OK);
        }
        assert_bytes(buf_bytes(&story), buf_bytes(&want));
        assert_bytes(buf_bytes(&parser.last_id), buf_bytes(&last_id));
        told += want.size > 0;
        finish();
        buf_destroy(&stream), buf_destroy(&want), buf_destroy(&last_id);
    }
    assert_in_range(told, 1000, 4000);
}

static void limits_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *stream;
        enum sse_result result;
        const char *plain;
    } cases[] = {
        {"data:6789\n\n", SSE_OK, "message|6789|;"},
        {"data:67890\n\n", SSE_OK, "message|67890|;"},                  /* a line of ten */
        {"data:678901\n\n", SSE_TOO_LARGE, ""},                         /* eleven */
        {"data:6789\r\ndata:6789\n\n", SSE_OK, "message|6789\n6789|;"}, /* data of nine */
        {"data:67890\ndata:6789\n\n", SSE_OK, "message|67890\n6789|;"}, /* ten */
        {"data:67890\ndata:67890\n\n", SSE_TOO_LARGE, ""},
        {"data:67890\ndata:678\ndata\n\n", SSE_OK, "message|67890\n678\n|;"},
        {"data:67890\ndata:6789\ndata\n\n", SSE_TOO_LARGE, ""},
        {"data:67890\n\ndata:67890\n\n", SSE_OK, "message|67890|;message|67890|;"},
        {":234567890\ndata:a\n\n", SSE_OK, "message|a|;"},
        {":2345678901", SSE_TOO_LARGE, ""},
        {"data:a\n\nevent:78901", SSE_TOO_LARGE, "message|a|;"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t size = strlen(cases[i].stream);
        for (size_t cut = 0; cut <= size; cut++) {
            start(10);
            enum sse_result result = feed(cases[i].stream, cut);
            if (result == SSE_OK) result = feed(cases[i].stream + cut, size - cut);
            if (result != cases[i].result) fail_msg("case %zu, cut at %zu", i, cut);
            assert_text(buf_bytes(&plain), cases[i].plain);
            finish();
        }
    }
}

static void an_error_stays_until_reset(void **state)
{
    (void)state;
    start(10);
    feed("id:1\n\n", 6);
    assert_int_equal(feed("data:12345678\n\n", 15), SSE_TOO_LARGE);
    assert_int_equal(feed("data:a\n\n", 8), SSE_TOO_LARGE);
    assert_int_equal(plain.size, 0);
    sse_parser_reset(&parser);
    assert_int_equal(feed("data:a\n\n", 8), SSE_OK);
    assert_text(buf_bytes(&plain), "message|a|1;");
    finish();
}

static void a_stop_drops_the_rest(void **state)
{
    (void)state;
    start(LIMIT);
    stop_after = 2;
    assert_int_equal(feed("data:a\n\ndata:b\n\ndata:c\n\nretry:1\n", 32), SSE_STOPPED);
    assert_int_equal(feed("data:d\n\n", 8), SSE_STOPPED);
    assert_text(buf_bytes(&plain), "message|a|;message|b|;");
    sse_parser_reset(&parser);
    assert_int_equal(feed("data:e\n\n", 8), SSE_OK);
    assert_text(buf_bytes(&plain), "message|a|;message|b|;message|e|;");
    finish();
}

static void a_reset_forgets_the_block_and_keeps_the_id(void **state)
{
    (void)state;
    static const char *const unfinished[] = {"id:2\nevent:x\ndata:y\n", "data:y\ndata:z",
                                             "id:2\ndata:y\r", "\xef\xbb", "da"};
    for (size_t i = 0; i < COUNT(unfinished); i++) {
        start(LIMIT);
        feed("id:1\n\n", 6);
        feed(unfinished[i], strlen(unfinished[i]));
        sse_parser_reset(&parser);
        assert_text(buf_bytes(&parser.last_id), "1");
        feed("\n\n\n", 3);
        sse_parser_reset(&parser);
        feed("\xef\xbb\xbf"
             "data:a\n\n",
             11); /* a new stream may have its own mark */
        assert_text(buf_bytes(&plain), "message|a|1;");
        finish();
    }
}

static const char *expected_at;

static void told_in_place(void *owner, const struct sse_event *event)
{
    (void)owner;
    assert_ptr_equal(event->data.data, expected_at);
}

static void an_event_in_one_piece_is_not_copied(void **state)
{
    (void)state;
    static const struct sse_parser_events in_place = {told_in_place, told_retry};
    const char chunk[] = "event: x\ndata: here\n\n";
    expected_at = strstr(chunk, "here");
    sse_parser_create(&parser, LIMIT, &in_place, &parser);
    assert_int_equal(sse_parser_feed(&parser, bytes_of(chunk)), SSE_OK);
    assert_null(parser._data.data);
    assert_null(parser._line.data);
    finish();
}

static void a_megabyte_in_any_pieces(void **state)
{
    (void)state;
    static char stream[LIMIT + 16];
    memcpy(stream, "data: ", 6);
    memset(stream + 6, 'm', LIMIT);
    memcpy(stream + 6 + LIMIT, "\n\n", 2);
    const size_t pieces[] = {1, 7, 1448, 16384, sizeof(stream)};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        start(LIMIT + 6);
        for (size_t at = 0; at < LIMIT + 8; at += pieces[i]) {
            size_t size = LIMIT + 8 - at < pieces[i] ? LIMIT + 8 - at : pieces[i];
            assert_int_equal(sse_parser_feed(&parser, bytes_run(stream + at, size)), SSE_OK);
        }
        assert_int_equal(plain.size, LIMIT + strlen("message||;"));
        assert_true(parser._line.capacity + parser._data.capacity < 2 * KEPT_BYTES + 1);
        finish();
    }
}

static void time_is_in_proportion_to_size(void **state)
{
    (void)state;
    /* Searching for the other line end anew at each line would take minutes here. */
    enum { LINES = 500000 };
    for (int kind = 0; kind < 2; kind++) {
        struct buf stream = BUF_EMPTY;
        for (int i = 0; i < LINES; i++) buf_add_text(&stream, kind ? ":x\r" : ":x\n");
        start(LIMIT);
        clock_t begin = clock();
        assert_int_equal(sse_parser_feed(&parser, buf_bytes(&stream)), SSE_OK);
        assert_in_range((clock() - begin) / CLOCKS_PER_SEC, 0, 4);
        finish();
        buf_destroy(&stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_examples_of_the_text, tear_down),
        cmocka_unit_test_teardown(line_ends_of_every_kind, tear_down),
        cmocka_unit_test_teardown(the_byte_order_mark, tear_down),
        cmocka_unit_test_teardown(comments_and_unknown_fields, tear_down),
        cmocka_unit_test_teardown(one_space_and_no_more_is_taken_away, tear_down),
        cmocka_unit_test_teardown(types, tear_down),
        cmocka_unit_test_teardown(ids, tear_down),
        cmocka_unit_test_teardown(retries, tear_down),
        cmocka_unit_test_teardown(what_is_unfinished_is_not_told, tear_down),
        cmocka_unit_test_teardown(bytes_pass_through, tear_down),
        cmocka_unit_test_teardown(agrees_with_the_reference_on_any_stream, tear_down),
        cmocka_unit_test_teardown(limits_are_exact, tear_down),
        cmocka_unit_test_teardown(an_error_stays_until_reset, tear_down),
        cmocka_unit_test_teardown(a_stop_drops_the_rest, tear_down),
        cmocka_unit_test_teardown(a_reset_forgets_the_block_and_keeps_the_id, tear_down),
        cmocka_unit_test_teardown(an_event_in_one_piece_is_not_copied, tear_down),
        cmocka_unit_test_teardown(a_megabyte_in_any_pieces, tear_down),
        cmocka_unit_test_teardown(time_is_in_proportion_to_size, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
