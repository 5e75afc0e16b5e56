/* The readers of the load generator: what it counts must not depend on how the bytes come in. */
#include "../../bench/latency.c"
#include "../../bench/line.c"
#include "../../bench/reply.c"
#include "../../bench/sse.c"
#include "../../bench/stamp.c"

#include <stdio.h>

#include "unit.h"

struct counted {
    uint64_t events, readies, resyncs, heads, ends, status;
};

static void read_piece(struct reply *reply, struct sse *sse, const char *at, const char *end,
                       struct counted *counted)
{
    const char *body;
    size_t length;
    enum reply_step step;

    while ((step = reply_step(reply, &at, end, &body, &length)) != REPLY_MORE) {
        struct sse_counts counts = {0};

        counted->heads += step == REPLY_HEAD;
        counted->ends += step == REPLY_END;
        if (step == REPLY_HEAD) counted->status = reply->status;
        if (step != REPLY_BODY) continue;
        sse_feed(sse, body, length, &counts);
        counted->events += counts.events;
        counted->readies += counts.readies;
        counted->resyncs += counts.resyncs;
    }
}

/* Reads the text in pieces that end at `first`, at `second` and at its end. Each is copied to a
 * block of its own, so that ASan sees a look beyond it. */
static struct counted count_cut(const char *text, size_t first, size_t second)
{
    struct counted counted = {0};
    struct reply reply = {0};
    struct sse sse = {0};
    size_t cuts[] = {0, first, second, strlen(text)};

    for (int i = 0; i < 3; i++) {
        size_t length = cuts[i + 1] - cuts[i];
        char *piece = test_malloc(length + 1);

        memcpy(piece, text + cuts[i], length);
        read_piece(&reply, &sse, piece, piece + length, &counted);
        test_free(piece);
    }
    return counted;
}

static void assert_every_cut_counts(const char *text, struct counted want)
{
    size_t length = strlen(text);

    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            struct counted have = count_cut(text, first, second);

            assert_memory_equal(&have, &want, sizeof want);
        }
    }
}

static void counts_events_wherever_a_stream_is_cut(void **state)
{
    (void)state;
    assert_every_cut_counts("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
                            "retry: 3000\n\n"
                            "event: ready\ndata: {}\nid: 1\n\n"
                            "id: 2\nevent: tick\ndata: t=0000000000000001 a\ndata: b\n\n"
                            "id: 3\n\n"
                            ": a comment\n\n"
                            "event:resync\r\ndata:{}\r\n\r\n"
                            "data\n\n"
                            "event: readying\ndata: x\n\n"
                            "data: not ended",
                            (struct counted){3, 1, 1, 1, 0, 200});
}

static void takes_chunks_apart_wherever_they_are_cut(void **state)
{
    (void)state;
    assert_every_cut_counts("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                            "7\r\ndata: a\r\n1\r\n\n\r\n10;x=y\r\n\ndata: b\n\ndata:\r\n"
                            "4\r\n c\n\n\r\n0\r\nTrailer: x\r\n\r\n",
                            (struct counted){3, 0, 0, 1, 1, 200});
}

static void reads_one_answer_after_the_other(void **state)
{
    (void)state;
    assert_every_cut_counts("HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nabc"
                            "HTTP/1.1 204 No Content\r\n\r\n"
                            "HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n",
                            (struct counted){0, 0, 0, 3, 3, 404});
}

static void finds_the_stamp_of_a_whole_line_only(void **state)
{
    (void)state;
    const char *whole = "data: \"t=0000000000000042 x\"\n\n";
    struct sse sse = {0};
    struct sse_counts counts = {0};

    sse_feed(&sse, whole, strlen(whole), &counts);
    assert_int_equal(stamp_age_ns(stamp_find(counts.data, counts.data_length), 50), 8);

    sse_feed(&sse, whole, 10, &counts);
    sse_feed(&sse, whole + 10, strlen(whole) - 10, &counts);
    assert_int_equal(counts.events, 2);
    assert_null(counts.data);
}

static void reads_a_stamp_back_after_the_digits_wrap(void **state)
{
    (void)state;
    char digits[STAMP_DIGITS];

    stamp_write(digits, UINT64_C(39999999999999990));
    assert_memory_equal(digits, "9999999999999990", STAMP_DIGITS);
    assert_int_equal(stamp_age_ns(digits, UINT64_C(40000000000000005)), 15);
    assert_null(stamp_find("t=123", 5));
}

static void gives_percentiles_within_three_percent(void **state)
{
    (void)state;
    static struct latency latency;

    latency_reset(&latency);
    assert_int_equal(latency_percentile_ns(&latency, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++) latency_add(&latency, i * 1000);
    double shares[] = {0.001, 0.5, 0.99, 0.999};

    for (size_t i = 0; i < COUNT(shares); i++) {
        double want = shares[i] * 1e8;
        double have = (double)latency_percentile_ns(&latency, shares[i]);

        assert_true(have >= want && have <= want * 1.032);
    }
    assert_int_equal(latency_percentile_ns(&latency, 1), 100000000);
}

static void keeps_every_value_in_a_bucket_of_its_size(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        uint64_t ns = UINT64_C(1) << shift;
        unsigned bucket = bucket_of(ns);

        assert_true(bucket < LATENCY_BUCKETS);
        assert_true(bucket_end(bucket) >= ns);
        if (bucket > 0) assert_true(bucket_end(bucket - 1) < ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_events_wherever_a_stream_is_cut),
        cmocka_unit_test(takes_chunks_apart_wherever_they_are_cut),
        cmocka_unit_test(reads_one_answer_after_the_other),
        cmocka_unit_test(finds_the_stamp_of_a_whole_line_only),
        cmocka_unit_test(reads_a_stamp_back_after_the_digits_wrap),
        cmocka_unit_test(gives_percentiles_within_three_percent),
        cmocka_unit_test(keeps_every_value_in_a_bucket_of_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
