#include "engine/refusal.h"

#include "event/frame.h"

enum { WAIT_MAX_MS = 3600 * 1000 };

static const struct {
    int status;
    const char *name, *message;
} table[] = {
    [REFUSED_NO_IDENTITY] = {401, "unauthorized", "Who you are is not known here; sign in first."},
    [REFUSED_FORBIDDEN] = {403, "forbidden", "You may not have what you asked for."},
    [REFUSED_BAD_REQUEST] = {400, "bad_request", "Something in the request is missing or wrong."},
    [REFUSED_UNKNOWN] = {503, "unavailable",
                         "Whether you may have this is not known now; try again."},
    [REFUSED_FULL] = {503, "full", "No more streams can be taken now; try again."},
    [REFUSED_KICKED] = {503, "ended", "This stream was ended before it began; try again."},
    [REFUSED_FINAL] = {204, "final", ""},
    [REFUSED_LINKS] = {503, "links", "No more upstream connections can be opened now; try again."},
    [REFUSED_USER] = {503, "user_full", "You have as many streams open as one user may."},
    [REFUSED_ADDRESS] = {503, "address_full", "Your address has as many streams open as one may."},
    [REFUSED_RATE] = {429, "rate", "You begin streams faster than you may; wait."},
    [REFUSED_BUSY] = {503, "busy", "More streams are begun now than can be taken; try again."},
};

const char *refused_name(enum refused why)
{
    return table[why].name;
}

static void on_gone(void *owner, const char *why)
{
    (void)owner;
    (void)why;
}

static const struct sink_events sink_events = {.gone = on_gone};

/* Comes back between 2 and 10 s from when it may be better, so that those refused together do not return together. */
static void refuse_by_stream(struct exchange *exchange, enum refused why, uint64_t wait_ms,
                             struct random *random, const struct answer_headers *extra)
{
    struct answer_headers headers = *extra;
    answer_stream_headers(&headers);
    struct sink *sink = exchange->ops->stream(exchange, 200, headers.items, headers.count);
    struct frame *retry = frame_retry(wait_ms + 2000 + random_below(random, 8000));
    struct frame *comment = frame_comment(bytes_of(table[why].message));
    const struct iovec pieces[] = {{retry->bytes, retry->size}, {comment->bytes, comment->size}};
    sink->events = &sink_events;
    sink->ops->write(sink, pieces, 2);
    sink->ops->close(sink, "refused");
    frame_unref(retry);
    frame_unref(comment);
}

/* What alone makes EventSource stop for good without an error (WHATWG HTML 9.2.2: any status but 200 does, 204
 * is the one that says that all is well). */
static void refuse_for_good(struct exchange *exchange, const struct answer_headers *extra)
{
    struct answer_headers headers = *extra;
    answer_header(&headers, "cache-control", BYTES("no-store"));
    exchange->ops->respond(exchange, &(struct http_response){.status = 204,
                                                             .headers = headers.items,
                                                             .header_count = headers.count});
}

void refusal_answer(struct exchange *exchange, enum refused why, enum refusal how, uint64_t wait_ms,
                    struct random *random, const struct answer_headers *extra)
{
    const bool later = table[why].status == 503 || table[why].status == 429;
    if (wait_ms > WAIT_MAX_MS) wait_ms = WAIT_MAX_MS;
    if (why == REFUSED_FINAL)
        refuse_for_good(exchange, extra);
    else if (later && how == REFUSE_RETRY)
        refuse_by_stream(exchange, why, wait_ms, random, extra);
    else
        answer_error(exchange, table[why].status, table[why].name, table[why].message,
                     later ? (unsigned)(wait_ms / 1000 + 1 + random_below(random, 5)) : 0, extra);
}
