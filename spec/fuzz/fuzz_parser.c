/* The parser tells of any stream, in any pieces, what the standard written down plainly tells;
 * under a small limit it tells a beginning of that, or all. The first byte chooses the pieces,
 * the second the limit. */
#include "event/parser.h"

#include "../c/sse_reference.h"
#include "base/alloc.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void told_event(void *owner, const struct sse_event *event)
{
    tell_event(owner, event->type, event->data, event->id);
}

static void told_retry(void *owner, uint64_t retry_ms)
{
    tell_retry(owner, retry_ms);
}

static const struct sse_parser_events events = {told_event, told_retry};

/* Feeds the stream in pieces of 1 .. `most` bytes, each in memory of its own. */
static enum sse_result feed(struct sse_parser *parser, struct bytes stream, unsigned most)
{
    enum sse_result result = SSE_OK;
    for (size_t at = 0, piece = 1; at < stream.size && result == SSE_OK; at += piece) {
        piece = 1 + (piece * 7 + at) % most;
        if (piece > stream.size - at) piece = stream.size - at;
        char *copy = xmemdup(stream.data + at, piece);
        result = sse_parser_feed(parser, bytes_run(copy, piece));
        xfree(copy);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    unsigned most = data[0] ? data[0] : 4096u;
    size_t limit = data[1] ? data[1] : size;
    struct bytes stream = bytes_run((const char *)data + 2, size - 2);
    struct buf want = BUF_EMPTY, last_id = BUF_EMPTY, have = BUF_EMPTY;
    reference_parse(stream, &want, &last_id);

    struct sse_parser parser;
    sse_parser_create(&parser, limit, &events, &have);
    if (feed(&parser, stream, most) == SSE_OK) {
        CHECK(bytes_equal(buf_bytes(&have), buf_bytes(&want)));
        CHECK(bytes_equal(buf_bytes(&parser.last_id), buf_bytes(&last_id)));
    } else {
        CHECK(limit < stream.size);
        CHECK(have.size <= want.size);
        CHECK(bytes_equal(buf_bytes(&have), bytes_run(want.data, have.size)));
        CHECK(sse_parser_feed(&parser, BYTES("\n")) == SSE_TOO_LARGE);
    }
    /* A new connection on the same parser is like a new parser that knows the id. */
    sse_parser_reset(&parser);
    buf_clear(&have), buf_clear(&want), buf_clear(&last_id);
    buf_add_bytes(&last_id, buf_bytes(&parser.last_id));
    reference_parse(stream, &want, &last_id);
    if (feed(&parser, stream, most) == SSE_OK)
        CHECK(bytes_equal(buf_bytes(&have), buf_bytes(&want)));

    sse_parser_destroy(&parser);
    buf_destroy(&want), buf_destroy(&last_id), buf_destroy(&have);
    CHECK(alloc_live() == 0);
    return 0;
}
