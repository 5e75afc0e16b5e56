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
    struct bytes id; /* the last event id as of this event; may be empty */
};

enum sse_result {
    SSE_OK,
    SSE_STOPPED,  /* a callback called sse_parser_stop; the rest of the bytes is dropped */
    SSE_TOO_LARGE /* a line or an event's data above the limit; the parser stays broken */
};

struct sse_parser_events {
    void (*event)(void *owner, const struct sse_event *event);
    void (*retry)(void *owner, uint64_t retry_ms); /* at most INT64_MAX */
};

/* Embedded in its link; private but for last_id. */
struct sse_parser {
    const struct sse_parser_events *_events;
    void *_owner;
    size_t _limit_bytes;
    struct buf last_id; /* the last event id string as dispatched; survives sse_parser_reset */
    struct buf _id;     /* the id buffer: becomes last_id at the end of the block */
    struct buf _line;   /* the line at hand, if it began in an earlier chunk */
    struct buf _type;   /* the event type buffer */
    struct buf _data;   /* the data buffer without its last line end, */
    struct bytes _one;  /* or, while it is one line of the chunk at hand, where that stands */
    enum sse_result _result;
    unsigned char _bom; /* bytes of the byte order mark seen; 3: past the stream's start */
    bool _after_cr;     /* the chunk ended in CR: an LF at the next one's start belongs to it */
    bool _has_data;     /* the block has a data field */
};

/* `limit_bytes` bounds one line (without its end) and one event's data, each by itself. */
void sse_parser_create(struct sse_parser *parser, size_t limit_bytes,
                       const struct sse_parser_events *events, void *owner);
void sse_parser_destroy(struct sse_parser *parser);

/* Another limit, from the next piece of bytes on. */
void sse_parser_limit(struct sse_parser *parser, size_t limit_bytes);

/* A new connection: forgets an unfinished block, the BOM, a stop and an error; keeps last_id, also
 * for events of the new connection that come before one with an id (9.2.6 begins each with an
 * empty buffer; Chromium keeps it too, and to lose one's place by an event without id helps
 * nobody). */
void sse_parser_reset(struct sse_parser *parser);

/* Between two connections: another last id. */
void sse_parser_go_on_from(struct sse_parser *parser, struct bytes last_id);

/* Parses; calls back for each event and each `retry` before it returns. A callback may call
 * sse_parser_stop, nothing else. Once it returned something else than SSE_OK it takes no more
 * bytes and returns the same, until a reset. */
enum sse_result sse_parser_feed(struct sse_parser *parser, struct bytes bytes);
void sse_parser_stop(struct sse_parser *parser);
