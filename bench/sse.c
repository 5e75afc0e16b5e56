/*
 * The counter of events. In bursts, tens of millions of events a second pass through
 * here, so a line that lies in the piece whole is read where it is; only the one that
 * the piece's end cuts is gathered in sse->line.
 */
#include "sse.h"

#include <string.h>

enum { NAME_OTHER, NAME_READY, NAME_RESYNC };

/* A field's name ends with a colon or with its line. */
static int is_field(const char *line, size_t length, const char *name, size_t name_length)
{
    return length >= name_length && memcmp(line, name, name_length) == 0 &&
           (length == name_length || line[name_length] == ':');
}

static int is_value(const char *value, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(value, name, length) == 0;
}

static uint8_t name_of(const char *line, size_t length)
{
    size_t skipped = strlen("event:");

    if (length > skipped && line[skipped] == ' ') skipped++;
    if (length <= skipped) return NAME_OTHER;
    if (is_value(line + skipped, length - skipped, "ready")) return NAME_READY;
    if (is_value(line + skipped, length - skipped, "resync")) return NAME_RESYNC;
    return NAME_OTHER;
}

static void end_block(struct sse *sse, struct sse_counts *counts)
{
    if (sse->has_data) {
        counts->events += sse->name == NAME_OTHER;
        counts->readies += sse->name == NAME_READY;
        counts->resyncs += sse->name == NAME_RESYNC;
    }
    sse->has_data = 0;
    sse->name = NAME_OTHER;
}

/* Of a long line the first LINE_HEAD bytes are looked at, at most. */
static void read_line(struct sse *sse, const char *line, size_t length, struct sse_counts *counts)
{
    if (length == 0) {
        end_block(sse, counts);
    } else if (is_field(line, length, "data", 4)) {
        sse->has_data = 1;
        counts->data = line;
        counts->data_length = length;
        if (counts->on_data) counts->on_data(counts->ctx, line, length);
    } else if (is_field(line, length, "event", 5)) {
        sse->name = name_of(line, length);
    }
}

/* The line that the last piece began: the rest of it is at *at. */
static void finish_line(struct sse *sse, const char **at, const char *end,
                        struct sse_counts *counts)
{
    if (!line_take(&sse->line, at, end)) return;
    read_line(sse, sse->line.head, sse->line.length, counts);
    if (counts->data == sse->line.head) counts->data = NULL;
    line_clear(&sse->line);
}

void sse_feed(struct sse *sse, const char *piece, size_t length, struct sse_counts *counts)
{
    const char *at = piece;
    const char *end = piece + length;

    counts->data = NULL;
    if (sse->line.length > 0) finish_line(sse, &at, end, counts);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (!newline) {
            line_take(&sse->line, &at, end);
            return;
        }
        read_line(sse, at, (size_t)(newline - at) - (newline > at && newline[-1] == '\r'), counts);
        at = newline + 1;
    }
}
