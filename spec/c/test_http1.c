/* The parser: every sample is the same request, or the same fault, however it is cut. */
#include "http/http1.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_requests.h"

static const struct http_limits limits = {.max_head_bytes = 512, .max_body_bytes = 64};

static size_t feed(struct http1 *http1, const char *data, size_t size)
{
    /* A block of its own, so that ASan sees a read beyond it. */
    char *copy = xmemdup(data, size);
    size_t taken = http1_feed(http1, copy, size);
    xfree(copy);
    return taken;
}

/* "GET /?q [body]" or the status. */
static const char *outcome(const struct http1 *http1)
{
    static char text[1024];
    const struct http_request *request = http1_request(http1);
    if (http1_state(http1) == HTTP1_DONE)
        snprintf(text, sizeof(text), "%.*s %.*s?%.*s [%.*s]", (int)request->method.size,
                 request->method.data, (int)request->path.size, request->path.data,
                 (int)request->query.size, request->query.data, (int)request->body.size,
                 request->body.size ? request->body.data : "");
    else if (http1_state(http1) == HTTP1_BAD)
        snprintf(text, sizeof(text), "%d", http1_fault(http1)->status);
    else
        snprintf(text, sizeof(text), "incomplete, state %d", http1_state(http1));
    return text;
}

static const char *expected(const struct sample *sample)
{
    static char text[16];
    snprintf(text, sizeof(text), "%d", sample->status);
    return sample->status ? text : sample->seen;
}

static void check(const struct sample *sample, const struct http1 *http1, size_t cut)
{
    if (strcmp(outcome(http1), expected(sample)) == 0) return;
    print_error("\"%s\" cut at %zu: expected %s, got %s (%s)\n", sample->what, cut,
                expected(sample), outcome(http1),
                http1_state(http1) == HTTP1_BAD ? http1_fault(http1)->message : "");
    fail();
}

static void samples_cut_anywhere(void **state)
{
    (void)state;
    struct http1 *http1 = http1_new(&limits);
    for (size_t i = 0; i < SAMPLES; i++) {
        const char *request = samples[i].request;
        size_t size = strlen(request);
        for (size_t cut = 0; cut <= size; cut++) {
            size_t taken = feed(http1, request, cut);
            if (taken == cut) taken += feed(http1, request + cut, size - cut);
            check(&samples[i], http1, cut);
            if (!samples[i].status) assert_int_equal(taken, size);
            http1_next(http1);
        }
        for (size_t at = 0; at < size && http1_state(http1) < HTTP1_DONE; at++)
            feed(http1, request + at, 1);
        check(&samples[i], http1, size + 1);
        http1_next(http1);
    }
    http1_free(http1);
    assert_int_equal(alloc_live(), 0);
}

/* Takes not one byte of what follows, wherever the two are cut. */
static void the_next_request_is_left_alone(void **state)
{
    (void)state;
    static const char next[] = "GET /next HTTP/1.1\r\nHost: b\r\n\r\n";
    struct http1 *http1 = http1_new(&limits);
    for (size_t i = 0; i < SAMPLES; i++) {
        if (samples[i].status) continue;
        char both[512];
        size_t size = strlen(samples[i].request);
        int total = snprintf(both, sizeof(both), "%s%s", samples[i].request, next);
        for (size_t cut = 0; cut <= size; cut++) {
            size_t taken = feed(http1, both, cut);
            assert_int_equal(taken, cut);
            if (cut < size) taken += feed(http1, both + cut, (size_t)total - cut);
            assert_int_equal(taken, size);
            check(&samples[i], http1, cut);
            http1_next(http1);
            assert_int_equal(feed(http1, both + taken, (size_t)total - taken), strlen(next));
            assert_string_equal(outcome(http1), "GET /next? []");
            http1_next(http1);
        }
    }
    http1_free(http1);
}

static struct http1 *fed(const char *request)
{
    struct http1 *http1 = http1_new(&limits);
    feed(http1, request, strlen(request));
    return http1;
}

static void headers_are_lower_case_and_trimmed(void **state)
{
    (void)state;
    struct http1 *http1 = fed("GET / HTTP/1.1\r\nHOST:  a \r\nX-Long-Name:\t b c\t\r\nE:\r\n\r\n");
    const struct http_request *request = http1_request(http1);
    assert_int_equal(request->header_count, 3);
    assert_true(bytes_is(http_header_get(request, "host"), "a"));
    assert_true(bytes_is(http_header_get(request, "x-long-name"), "b c"));
    assert_true(bytes_is(http_header_get(request, "e"), ""));
    assert_null(http_header_get(request, "f").data);
    http1_free(http1);
}

static void an_absolute_target_says_the_host(void **state)
{
    (void)state;
    struct http1 *http1 = fed("GET http://b:81/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(bytes_is(http_header_get(http1_request(http1), "host"), "b:81"));
    http1_free(http1);
}

static void nul_is_refused_anywhere_in_the_head(void **state)
{
    (void)state;
    static const char good[] = "GET /path HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        char bad[sizeof(good)];
        memcpy(bad, good, sizeof(good));
        bad[at] = '\0';
        struct http1 *http1 = http1_new(&limits);
        feed(http1, bad, sizeof(bad) - 1);
        assert_string_equal(outcome(http1), "400");
        http1_free(http1);
    }
}

static void head_ends_at_its_limit(void **state)
{
    (void)state;
    char request[600];
    for (int over = 0; over <= 1; over++) {
        int size = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\nX: ");
        int filler = (int)limits.max_head_bytes + over - size - 4;
        snprintf(request + size, sizeof(request) - (size_t)size, "%0*d\r\n\r\n", filler, 0);
        struct http1 *http1 = fed(request);
        assert_string_equal(outcome(http1), over ? "431" : "GET /? []");
        http1_free(http1);
    }
}

static void a_head_without_end_is_refused_at_the_limit(void **state)
{
    (void)state;
    struct http1 *http1 = fed("GET /");
    for (size_t i = 0; i < limits.max_head_bytes && http1_state(http1) < HTTP1_DONE; i++)
        feed(http1, "x", 1);
    assert_string_equal(outcome(http1), "431");
    http1_free(http1);
}

static void headers_are_counted(void **state)
{
    (void)state;
    static const struct http_limits wide = {.max_head_bytes = 4096, .max_body_bytes = 64};
    for (int count = HTTP1_MAX_HEADERS; count <= HTTP1_MAX_HEADERS + 1; count++) {
        struct buf request = BUF_EMPTY;
        buf_add_text(&request, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < count; i++) buf_add_text(&request, "X: y\r\n");
        buf_add_text(&request, "\r\n");
        struct http1 *http1 = http1_new(&wide);
        feed(http1, request.data, request.size);
        assert_string_equal(outcome(http1), count > HTTP1_MAX_HEADERS ? "431" : "GET /? []");
        http1_free(http1);
        buf_destroy(&request);
    }
}

static void body_ends_at_its_limit(void **state)
{
    (void)state;
    char request[256];
    for (int size = 64; size <= 65; size++) {
        snprintf(request, sizeof(request), POST("%d") "%0*d", size, size, 0);
        struct http1 *http1 = fed(request);
        assert_int_equal(http1_state(http1), size > 64 ? HTTP1_BAD : HTTP1_DONE);
        if (size > 64) assert_string_equal(outcome(http1), "413");
        http1_free(http1);

        snprintf(request, sizeof(request), CHUNKED "30\r\n%048d\r\n%x\r\n%0*d\r\n0\r\n\r\n", 0,
                 (unsigned)size - 48, size - 48, 0);
        http1 = fed(request);
        assert_int_equal(http1_state(http1), size > 64 ? HTTP1_BAD : HTTP1_DONE);
        if (size > 64) assert_string_equal(outcome(http1), "413");
        http1_free(http1);
    }
}

static void a_length_above_the_limit_is_refused_before_the_body(void **state)
{
    (void)state;
    struct http1 *http1 = fed(POST("65"));
    assert_string_equal(outcome(http1), "413");
    http1_free(http1);
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    struct http1 *http1 = fed(CHUNKED "1;a=");
    for (int i = 0; i < 2000 && http1_state(http1) < HTTP1_DONE; i++) feed(http1, "xx", 2);
    assert_string_equal(outcome(http1), "400");
    http1_free(http1);

    http1 = fed(CHUNKED "1\r\nx\r\n0\r\n");
    for (int i = 0; i < 2000 && http1_state(http1) < HTTP1_DONE; i++) feed(http1, "X: y\r\n", 6);
    assert_string_equal(outcome(http1), "400");
    http1_free(http1);

    http1 = fed(CHUNKED);
    for (int i = 0; i < 64; i++) feed(http1, "1\r\nx\r\n", 6);
    feed(http1, "0\r\n\r\n", 5);
    assert_int_equal(http1_state(http1), HTTP1_DONE);
    http1_free(http1);
}

static void what_the_answer_must_know(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool keeps_alive, expects, is_head;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", true, false, false},
        {"HEAD / HTTP/1.1\r\n" H "\r\n", true, false, true},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false, false, false},
        {"GET / HTTP/1.1\r\n" H "Connection: Foo, CLOSE\r\n\r\n", false, false, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, false, false},
        {"POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", true, true,
         false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false, false,
         false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1 *http1 = fed(cases[i].request);
        assert_int_equal(http1_keeps_alive(http1), cases[i].keeps_alive);
        assert_int_equal(http1_expects_continue(http1), cases[i].expects);
        assert_int_equal(http1_is_head(http1), cases[i].is_head);
        http1_free(http1);
    }
}

static void it_says_how_far_it_is(void **state)
{
    (void)state;
    struct http1 *http1 = http1_new(&limits);
    assert_int_equal(http1_state(http1), HTTP1_IDLE);
    feed(http1, "P", 1);
    assert_int_equal(http1_state(http1), HTTP1_HEAD);
    feed(http1, "OST / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n", 46);
    assert_int_equal(http1_state(http1), HTTP1_BODY);
    feed(http1, "ab", 2);
    assert_int_equal(http1_state(http1), HTTP1_DONE);
    http1_free(http1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_cut_anywhere),
        cmocka_unit_test(the_next_request_is_left_alone),
        cmocka_unit_test(headers_are_lower_case_and_trimmed),
        cmocka_unit_test(an_absolute_target_says_the_host),
        cmocka_unit_test(nul_is_refused_anywhere_in_the_head),
        cmocka_unit_test(head_ends_at_its_limit),
        cmocka_unit_test(a_head_without_end_is_refused_at_the_limit),
        cmocka_unit_test(headers_are_counted),
        cmocka_unit_test(body_ends_at_its_limit),
        cmocka_unit_test(a_length_above_the_limit_is_refused_before_the_body),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(what_the_answer_must_know),
        cmocka_unit_test(it_says_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
