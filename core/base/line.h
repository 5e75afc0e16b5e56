/* line: one fact as one line of a log: `ts=… level=… msg=… name=value` or a JSON
 * object. Whatever the texts hold, the result is one line, and reads back to the
 * fields that went in: no input can forge a line, a field, or a terminal's
 * escape sequence. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct line_field {
    const char *name;
    struct bytes text; /* used if data is not NULL, else the number */
    long long number;
};

enum line_form { LINE_PAIRS, LINE_JSON };

/* For who writes lines of another kind: the text, quoted if it is not one harmless word, or in any
 * case; and a time in RFC 3339 with milliseconds. */
void line_word(struct buf *out, struct bytes text);
void line_quoted(struct buf *out, struct bytes text);
void line_time(struct buf *out, uint64_t wall_ms);

/* Appends the line with its LF. The time is in milliseconds since 1970, written in UTC; texts
 * above 4 KiB are cut and end in U+2026. */
void line_write(struct buf *out, enum line_form form, uint64_t wall_ms, const char *level,
                const char *message, const struct line_field *fields, size_t count);
