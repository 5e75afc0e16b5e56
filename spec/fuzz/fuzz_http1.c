/* The HTTP/1.x parser: the first byte says where the bytes are cut. Whole or cut, the same input
 * is the same requests and the same fault; what the parser accepts is unambiguous; limits hold. */
#include "http/http1.c"

#include "input.h"

static const struct http_limits limits = {.max_head_bytes = 300, .max_body_bytes = 40};

static void expect_sound(const struct http1 *http1)
{
    const struct http_request *request = http1_request(http1);
    int hosts = 0, lengths = 0, codings = 0;
    CHECK(request->body.size <= limits.max_body_bytes);
    CHECK(request->path.data[0] == '/' || bytes_is(request->path, "*"));
    CHECK(!memchr(request->path.data, '?', request->path.size));
    for (size_t i = 0; i < request->header_count; i++) {
        struct bytes name = request->headers[i].name, value = request->headers[i].value;
        CHECK(name.size > 0 && !text_breaks_line(name) && !text_breaks_line(value));
        for (size_t j = 0; j < name.size; j++) {
            CHECK(name.data[j] > ' ' && name.data[j] != ':');
            CHECK(name.data[j] < 'A' || name.data[j] > 'Z');
        }
        hosts += bytes_is(name, "host");
        lengths += bytes_is(name, "content-length");
        codings += bytes_is(name, "transfer-encoding");
    }
    CHECK(hosts <= 1 && lengths + codings <= 1);
    if (!lengths && !codings) CHECK(request->body.size == 0);
}

/* Appends what the requests in the input are, one line each, and how it ends. */
static void describe(struct buf *out, const char *data, size_t size, size_t step)
{
    struct http1 *http1 = http1_new(&limits);
    while (size && http1_state(http1) != HTTP1_BAD) {
        size_t piece = size < step ? size : step;
        char *copy = xmemdup(data, piece); /* so that ASan sees a read beyond it */
        size_t taken = http1_feed(http1, copy, piece);
        xfree(copy);
        CHECK(taken <= piece);
        data += taken;
        size -= taken;
        if (http1_state(http1) != HTTP1_DONE) {
            CHECK(taken == piece || http1_state(http1) == HTTP1_BAD);
            continue;
        }
        expect_sound(http1);
        const struct http_request *request = http1_request(http1);
        buf_add_bytes(out, request->method);
        buf_add_bytes(out, request->path);
        buf_add_bytes(out, request->query);
        buf_add_bytes(out, request->body);
        buf_printf(out, " %zu %d\n", request->header_count, http1_keeps_alive(http1));
        http1_next(http1);
    }
    /* Which of two faults is met first may depend on the cut, that there is one may not. */
    buf_printf(out, "%d", http1_state(http1) == HTTP1_BAD);
    http1_free(http1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    struct buf whole = BUF_EMPTY, cut = BUF_EMPTY;
    describe(&whole, (const char *)data + 1, size - 1, size);
    describe(&cut, (const char *)data + 1, size - 1, 1 + data[0] % 32);
    CHECK(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    buf_destroy(&whole);
    buf_destroy(&cut);
    CHECK(alloc_live() == 0);
    return 0;
}
