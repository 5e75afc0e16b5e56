/* sse_reference: WHATWG HTML 9.2.5 and 9.2.6 written down once more, slowly and
 * plainly, for a whole stream at once: what event/parser.c is compared with.
 * Differs from the text where the parser's header says so: the id buffer begins
 * with the last event id. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"

/* What a parser told, one fact behind the other, with lengths so that nothing is ambiguous. */
static inline void tell_event(struct buf *story, struct bytes type, struct bytes data,
                              struct bytes id)
{
    buf_printf(story, "event %zu %zu %zu ", type.size, data.size, id.size);
    buf_add_bytes(story, type);
    buf_add_bytes(story, data);
    buf_add_bytes(story, id);
    buf_add_char(story, '\n');
}

static inline void tell_retry(struct buf *story, unsigned long long retry_ms)
{
    buf_printf(story, "retry %llu\n", retry_ms);
}

struct reference {
    struct buf *story;
    struct buf data, type, id, last_id;
};

static inline void reference_field(struct reference *r, struct bytes name, struct bytes value)
{
    if (bytes_is(name, "event")) {
        buf_clear(&r->type);
        buf_add_bytes(&r->type, value);
    } else if (bytes_is(name, "data")) {
        buf_add_bytes(&r->data, value);
        buf_add_char(&r->data, '\n');
    } else if (bytes_is(name, "id")) {
        for (size_t i = 0; i < value.size; i++)
            if (value.data[i] == '\0') return;
        buf_clear(&r->id);
        buf_add_bytes(&r->id, value);
    } else if (bytes_is(name, "retry") && value.size) {
        unsigned long long number = 0;
        for (size_t i = 0; i < value.size; i++) {
            if (value.data[i] < '0' || value.data[i] > '9') return;
            unsigned __int128 wide = (unsigned __int128)number * 10 + (value.data[i] - '0');
            number = wide > INT64_MAX ? INT64_MAX : (unsigned long long)wide;
        }
        tell_retry(r->story, number);
    }
}

static inline void reference_line(struct reference *r, struct bytes line)
{
    if (line.size == 0) {
        buf_clear(&r->last_id);
        buf_add_bytes(&r->last_id, buf_bytes(&r->id));
        if (r->data.size) {
            r->data.size--;
            tell_event(r->story, r->type.size ? buf_bytes(&r->type) : BYTES("message"),
                       buf_bytes(&r->data), buf_bytes(&r->last_id));
        }
        buf_clear(&r->data);
        buf_clear(&r->type);
        return;
    }
    size_t colon = 0;
    while (colon < line.size && line.data[colon] != ':') colon++;
    if (colon == 0) return;
    struct bytes value = bytes_run(NULL, 0);
    if (colon < line.size) {
        value = bytes_run(line.data + colon + 1, line.size - colon - 1);
        if (value.size && value.data[0] == ' ') value = bytes_run(value.data + 1, value.size - 1);
    }
    reference_field(r, bytes_run(line.data, colon), value);
}

/* Tells the story of a whole stream that begins with this last event id; appends the last event
 * id at its end to *last_id. */
static inline void reference_parse(struct bytes stream, struct buf *story, struct buf *last_id)
{
    struct reference r = {.story = story};
    buf_add_bytes(&r.id, buf_bytes(last_id));
    buf_add_bytes(&r.last_id, buf_bytes(last_id));

    size_t start = 0;
    if (stream.size >= 3 && memcmp(stream.data, "\xef\xbb\xbf", 3) == 0) start = 3;
    for (size_t at = start; at < stream.size; at++) {
        char c = stream.data[at];
        if (c != '\r' && c != '\n') continue;
        reference_line(&r, bytes_run(stream.data + start, at - start));
        if (c == '\r' && at + 1 < stream.size && stream.data[at + 1] == '\n') at++;
        start = at + 1;
    }
    buf_clear(last_id);
    buf_add_bytes(last_id, buf_bytes(&r.last_id));
    buf_destroy(&r.data), buf_destroy(&r.type), buf_destroy(&r.id), buf_destroy(&r.last_id);
}
