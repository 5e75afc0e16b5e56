/* http1: bytes of an HTTP/1.x connection to requests (RFC 9112). llhttp parses,
 * without lenient flags; what it lets through and two servers could read
 * differently is refused here: a bare CR or LF, folded lines, control characters,
 * two of Host, Content-Length or Transfer-Encoding, any transfer coding but
 * "chunked", targets that are not a path. No sockets, no time, no answers: the
 * holder reads, bounds the waiting and says what went wrong.
 *
 * One request at a time: http1_feed takes bytes until the request is whole and
 * not one more; http1_next makes room for the following one. */
#pragma once

#include <stdbool.h>

#include "http/limits.h"
#include "ports/exchange.h"

enum http1_state {
    HTTP1_IDLE, /* nothing of a request has come */
    HTTP1_HEAD,
    HTTP1_BODY,
    HTTP1_DONE, /* http1_request is whole */
    HTTP1_BAD,  /* http1_fault says why; the connection is beyond repair */
};

enum { HTTP1_MAX_HEADERS = 100 };

/* How a request is refused: a status, a word for programs, a sentence for people; all static. */
struct http_fault {
    int status;
    const char *code, *message;
};

struct http1;

/* The limits must outlive the parser. */
struct http1 *http1_new(const struct http_limits *limits);
void http1_free(struct http1 *http1);

/* Takes bytes and returns how many; fewer than all only in HTTP1_DONE and HTTP1_BAD. The bytes
 * are not kept. */
size_t http1_feed(struct http1 *http1, const char *data, size_t size);

/* Forgets the request (or the fault) and waits for the next. */
void http1_next(struct http1 *http1);

/* Queries. */
enum http1_state http1_state(const struct http1 *http1);

/* In HTTP1_DONE: the request, without address and listener; valid until http1_next. */
const struct http_request *http1_request(const struct http1 *http1);
const struct http_fault *http1_fault(const struct http1 *http1);

/* From HTTP1_BODY on: the client waits for "100 Continue". */
bool http1_expects_continue(const struct http1 *http1);

/* The connection may serve another request after this one: HTTP/1.1 without "close". An HTTP/1.0
 * connection never does. */
bool http1_keeps_alive(const struct http1 *http1);

/* The method is HEAD, as far as known: an answer has no body. */
bool http1_is_head(const struct http1 *http1);
