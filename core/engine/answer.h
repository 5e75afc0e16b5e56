/* answer: the short answers that the engine gives itself, all of one shape:
 * {"error":{"code","message"}} with the right status, never stored. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "ports/exchange.h"

#define ANSWER_HEADERS_MAX 64

/* Headers under construction: names and values are borrowed. */
struct answer_headers {
    struct http_header items[ANSWER_HEADERS_MAX];
    size_t count;
};

void answer_header(struct answer_headers *headers, const char *name, struct bytes value);

/* `extra` may be NULL. A retry_after_s of 0 sends no Retry-After. */
void answer_error(struct exchange *exchange, int status, const char *code, const char *message,
                  unsigned retry_after_s, const struct answer_headers *extra);

/* The headers of every stream's answer. */
void answer_stream_headers(struct answer_headers *headers);
