/* reply: reads HTTP/1.1 responses that arrive in pieces, one after the other on one
 * connection (RFC 9112): status, then the body's bytes without their framing, be it
 * Content-Length, chunked or up to the connection's end.
 *
 * It trusts the server: it is the generator's reader, not a guard. Call reply_step
 * until it answers REPLY_MORE, then again with the next piece. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "line.h"

struct reply {
    struct line line;
    uint32_t left; /* bytes that the body or the chunk still has */
    uint16_t status;
    uint8_t phase;
    uint8_t framing;
};

enum reply_step {
    REPLY_MORE, /* the piece is used up */
    REPLY_HEAD, /* the header is complete, reply->status is set */
    REPLY_BODY, /* *body and *length are set, into the piece */
    REPLY_END,  /* the response is complete; the next step begins the next one */
};

enum reply_step reply_step(struct reply *reply, const char **at, const char *end, const char **body,
                           size_t *length);
