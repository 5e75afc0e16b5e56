/* The SSE parser calls back the same, and ends the same, in whatever pieces a stream comes. */

#include "event/parser.h"
#include "spec/fuzz/input.h"

enum { LIMIT = 64 };

/* What came out, written down: one run of bytes that is equal exactly if every call was. */
static void record(struct buf *out, char mark, struct bytes bytes)
{
    buf_printf(out, "%c%zu:", mark, bytes.size);
    buf_add_bytes(out, bytes);
}

static void on_event(void *owner, const struct sse_event *event)
{
    MUST(event->type.size > 0 && event->data.size <= LIMIT);
    MUST(memchr(event->type.data, '\r', event->type.size) == NULL);
    record(owner, 'e', event->type);
    record(owner, 'd', event->data);
    record(owner, 'i', event->id);
}

static void on_retry(void *owner, uint64_t retry_ms)
{
    MUST(retry_ms <= INT64_MAX);
    buf_printf(owner, "r%llu", (unsigned long long)retry_ms);
}

static const struct sse_parser_events events = {.event = on_event, .retry = on_retry};

/* Feeds the stream in pieces as long as the bytes of `cuts` say, or whole if there are none. */
static struct buf parse(struct bytes stream, struct bytes cuts)
{
    struct buf out = BUF_EMPTY;
    struct sse_parser parser;
    enum sse_result result = SSE_OK;

    sse_parser_create(&parser, LIMIT, &events, &out);
    for (size_t turn = 0; stream.size > 0 && result == SSE_OK; turn++) {
        size_t size = cuts.size ? (uint8_t)cuts.data[turn % cuts.size] % 8 + 1U : stream.size;
        if (size > stream.size) size = stream.size;

        /* A copy of its own, so that ASan sees a look past the piece. */
        char *piece = malloc(size);
        memcpy(piece, stream.data, size);
        result = sse_parser_feed(&parser, bytes_run(piece, size));
        free(piece);
        stream = bytes_run(stream.data + size, stream.size - size);
    }
    MUST(result == SSE_OK || result == SSE_TOO_LARGE);
    MUST(result == SSE_OK || sse_parser_feed(&parser, BYTES("\n\n")) == result);
    record(&out, 'l', buf_bytes(&parser.last_id));
    buf_printf(&out, "=%d", result);
    sse_parser_destroy(&parser);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct bytes cuts = input_run(&input, input_byte(&input) % 8);
    struct bytes stream = input_run(&input, input.left);
    struct buf whole = parse(stream, (struct bytes){NULL, 0});
    struct buf cut = parse(stream, cuts);

    MUST(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    buf_destroy(&whole);
    buf_destroy(&cut);
    return 0;
}
