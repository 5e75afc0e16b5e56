/* line: a line that arrives in pieces, of which only the beginning matters: header fields,
 * status lines and SSE fields are all told apart by their first bytes. So a reader
 * keeps 28 bytes a connection and no buffer, wherever the pieces are cut.
 *
 * Lines end with LF or CRLF; a bare CR (which SSE would allow) ends nothing, since no
 * server under test sends one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LINE_HEAD = 28 };

struct line {
    char head[LINE_HEAD]; /* its first bytes; those past `length` are leftovers */
    uint8_t ends_in_cr;
    uint16_t length; /* without the line end; stays at 65,535 for longer ones */
};

/* Takes bytes from *at, which it moves on, up to and with the next LF. Returns 1 when
 * the line is complete (look at it, then line_clear), 0 when `end` came first. */
int line_take(struct line *line, const char **at, const char *end);

void line_clear(struct line *line);

/* Whether the line begins with `name` (letters compared without case). Returns what
 * follows, without leading blanks, as a NUL-terminated copy valid until the next call;
 * NULL if it does not. */
const char *line_after(const struct line *line, const char *name);
