#include "engine/answer.h"

#include <stdio.h>

#include "base/check.h"
#include "base/text.h"

void answer_header(struct answer_headers *headers, const char *name, struct bytes value)
{
    CHECK(headers->count < ANSWER_HEADERS_MAX);
    headers->items[headers->count++] = (struct http_header){bytes_of(name), value};
}

void answer_error(struct exchange *exchange, int status, const char *code, const char *message,
                  unsigned retry_after_s, const struct answer_headers *extra)
{
    struct answer_headers headers = {.count = 0};
    if (extra) headers = *extra;
    char seconds[16];
    answer_header(&headers, "content-type", BYTES("application/json"));
    answer_header(&headers, "cache-control", BYTES("no-store"));
    if (retry_after_s) {
        snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
        answer_header(&headers, "retry-after", bytes_of(seconds));
    }
    struct buf body = BUF_EMPTY;
    buf_add_text(&body, "{\"error\":{\"code\":");
    text_json_string(&body, bytes_of(code));
    buf_add_text(&body, ",\"message\":");
    text_json_string(&body, bytes_of(message));
    buf_add_text(&body, "}}\n");
    const struct http_response response = {
        .status = status, .headers = headers.items, .header_count = headers.count,
        .body = buf_bytes(&body)};
    exchange->ops->respond(exchange, &response);
    buf_destroy(&body);
}

void answer_stream_headers(struct answer_headers *headers)
{
    answer_header(headers, "content-type", BYTES("text/event-stream"));
    answer_header(headers, "cache-control", BYTES("no-store, no-transform"));
    answer_header(headers, "x-accel-buffering", BYTES("no"));
}
