/* event: reads Server-Sent Events (WHATWG HTML, section 9.2.6) that arrive in pieces, whole: type,
 * data, and the last event id as a block's end sets it, with data or without. Lines end with LF or
 * CRLF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { EVENT_LINE = 1024, EVENT_TYPE = 32, EVENT_ID = 260 };

struct event_reader {
    char line[EVENT_LINE]; /* of a longer one, its beginning */
    char data[EVENT_LINE];
    char type[EVENT_TYPE];
    char id[EVENT_ID];      /* of the block that is being read */
    char last_id[EVENT_ID]; /* as the last block's end set it */
    uint16_t length, data_length;
    uint8_t has_data;
    uint32_t retry_ms; /* 0: none was said */
};

typedef void event_f(void *owner, const char *type, const char *data);

/* A new connection: what is half read is dropped; the last id and retry stay. */
void event_reset(struct event_reader *reader);

/* Calls `take` for each event. */
void event_feed(struct event_reader *reader, const char *piece, size_t length, event_f *take,
                void *owner);
