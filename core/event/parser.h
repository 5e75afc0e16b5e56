/* parser: the only reader of SSE bytes: WHATWG HTML, 9.2.5 and 9.2.6, to the
 * letter, in whatever pieces they come. An event above the limit is an error,
 * not a truncation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* One dispatched event; everything is borrowed until the callback returns. */
struct sse_event {
    struct bytes type; /* "message" if the stream named none */
    struct bytes data;
    struct bytes id;   /* the last event id as of this event; may be empty */
};

enum sse_result {
    SSE_OK,
    SSE_STOPPED,  /* a callback called sse_parser_stop; the rest of the bytes is dropped */
    SSE_TOO_LARGE /* a line or an event's data above the limit; the parser stays broken */
};

struct sse_parser_events {
    void (*event)(void *owner, const struct sse_event *event);
    void (*retry)(void *owner, uint64_t retry_ms);
};

/* Embedded in its link; private but for the size of its parts. */
struct sse_parser {
    const struct sse_parser_events *_events;
    void *_owner;
    size_t _limit_bytes;
    struct buf _line, _data, _type;
    struct buf last_id;  /* the last event id string as dispatched; survives sse_parser_reset */
    struct buf _next_id; /* the id buffer of the block at hand */
    int _state;
    bool _stopped;
};

/* `limit_bytes` bounds one line and one event's data. */
void sse_parser_create(struct sse_parser *parser, size_t limit_bytes,
                       const struct sse_parser_events *events, void *owner);
void sse_parser_destroy(struct sse_parser *parser);

/* A new connection: forgets an unfinished block and the BOM, keeps last_id. */
void sse_parser_reset(struct sse_parser *parser);

/* Parses; calls back for each event before it returns. A callback may call sse_parser_stop, but
 * not destroy. */
enum sse_result sse_parser_feed(struct sse_parser *parser, struct bytes bytes);
void sse_parser_stop(struct sse_parser *parser);
