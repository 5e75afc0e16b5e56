/*
 * The counter of events. Millions of events a second pass through here in bursts, so
 * a line costs one memchr (in line_take) and a look at its first letters.
 */

#include "sse.h"

#include <string.h>

enum { NAME_OTHER, NAME_READY, NAME_RESYNC };

static uint8_t name_of(const struct line *line)
{
    const char *name = line_after(line, "event:");

    if (name && strcmp(name, "ready") == 0) return NAME_READY;
    if (name && strcmp(name, "resync") == 0) return NAME_RESYNC;
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

/* A field's name ends with a colon or with its line. */
static int is_field(const struct line *line, const char *name, uint16_t length)
{
    return line->length >= length && memcmp(line->head, name, length) == 0 &&
           (line->length == length || line->head[length] == ':');
}

void sse_feed(struct sse *sse, const char *piece, size_t length, struct sse_counts *counts)
{
    const char *at = piece;
    const char *end = piece + length;

    counts->data = NULL;
    while (at < end) {
        const char *start = sse->line.length == 0 ? at : NULL;

        if (!line_take(&sse->line, &at, end)) return;
        if (sse->line.length == 0) {
            end_block(sse, counts);
        } else if (is_field(&sse->line, "data", 4)) {
            sse->has_data = 1;
            counts->data = start;
            counts->data_length = start ? (size_t)(at - start) : 0;
        } else if (is_field(&sse->line, "event", 5)) {
            sse->name = name_of(&sse->line);
        }
        line_clear(&sse->line);
    }
}
