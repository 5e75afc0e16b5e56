/* exchange: one HTTP request and its answer, whatever carried it. An adapter
 * parses and bounds the request, then hands the exchange to a handler; the
 * handler answers it exactly once, at any time: with `respond`, or with
 * `stream`, which turns it into a sink. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ports/sink.h"

struct http_header {
    struct bytes name, value;
};

/* Valid until the exchange is answered or gone. */
struct http_request {
    struct bytes method;  /* as sent: "GET" */
    struct bytes path;    /* as sent, before '?', still percent-encoded */
    struct bytes query;   /* after '?', or empty */
    struct bytes body;    /* whole */
    const struct http_header *headers; /* names in lower case */
    size_t header_count;
    struct bytes address;  /* the client's: "127.0.0.1", "::1", or "unix" */
    struct bytes listener; /* as the config names it: "127.0.0.1:8080", "unix:/path" */
    bool secure;           /* the client came over TLS, to us or to a proxy that we trust */
    bool trusted;          /* came on a listener that only a router of ours reaches */
    bool kept;             /* answered long ago: only method, path and query are still known */
};

struct http_response {
    int status;
    const struct http_header *headers; /* without Content-Length, Date, Connection */
    size_t header_count;
    struct bytes body; /* for HEAD: the body of the GET, of which only the length is sent */
    bool close;        /* end the connection after it */
};

struct exchange;

struct exchange_ops {
    /* Answers. Everything is copied. The exchange must not be touched afterwards. */
    void (*respond)(struct exchange *exchange, const struct http_response *response);

    /* Begins an answer of unknown length: sends the head now (or holds it back until the first
     * write in this turn, to join them) and returns a sink for the body. The exchange and its
     * request are freed; must not be touched afterwards. */
    struct sink *(*stream)(struct exchange *exchange, int status,
                           const struct http_header *headers, size_t header_count);
};

struct exchange {
    const struct exchange_ops *ops;
    struct http_request request;

    /* Set by the handler if it does not answer at once: the client went away before the answer.
     * The exchange is freed by itself after the call. */
    void (*gone)(void *owner);
    void *owner;
};

/* Who takes the requests of a listener. */
struct http_handler {
    void (*handle)(struct http_handler *handler, struct exchange *exchange);
};

/* The value of a header by its lower-case name; data is NULL if it is not there. */
static inline struct bytes http_header_get(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (bytes_is(request->headers[i].name, name)) return request->headers[i].value;
    return (struct bytes){NULL, 0};
}
