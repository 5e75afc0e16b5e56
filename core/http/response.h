/* response: the head of an HTTP/1.1 answer as it goes on the wire (RFC 9112).
 * Everything that frames the answer - length, connection, date - is written here
 * and nowhere else. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "ports/exchange.h"

struct response_head {
    int status;
    const struct http_header *headers;
    size_t header_count;
    bool sized; /* says body_size; else the body ends with the connection */
    size_t body_size;
    bool close;
    struct bytes date; /* DATE_BYTES long */
};

/* Every name is a token and no value has a line break: response_write may be called. */
bool response_is_sound(const struct http_header *headers, size_t count);

/* Appends the head with its empty line. 204 and 304 never say a length. */
void response_write(struct buf *out, const struct response_head *head);

/* Whether an answer of this status has a body on the wire (RFC 9110 section 6.4.1). */
bool response_has_body(int status);

/* Appends {"error":{"code":…,"message":…}}. */
void response_error(struct buf *out, const char *code, const char *message);
