#include "line.h"

#include <string.h>
#include <strings.h>

static void append(struct line *line, const char *bytes, size_t count)
{
    if (count == 0) return;
    if (line->length < LINE_HEAD) {
        size_t room = LINE_HEAD - (size_t)line->length;

        memcpy(line->head + line->length, bytes, count < room ? count : room);
    }
    line->length =
        count < (size_t)(UINT16_MAX - line->length) ? (uint16_t)(line->length + count) : UINT16_MAX;
    line->ends_in_cr = bytes[count - 1] == '\r';
}

int line_take(struct line *line, const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));

    append(line, *at, (size_t)((newline ? newline : end) - *at));
    *at = newline ? newline + 1 : end;
    if (!newline) return 0;
    if (line->ends_in_cr && line->length > 0) line->length--;
    return 1;
}

void line_clear(struct line *line)
{
    line->length = 0;
    line->ends_in_cr = 0;
}

const char *line_after(const struct line *line, const char *name)
{
    static char rest[LINE_HEAD + 1];
    size_t held = line->length < LINE_HEAD ? line->length : LINE_HEAD;
    size_t skipped = strlen(name);

    if (held < skipped || strncasecmp(line->head, name, skipped) != 0) return NULL;
    while (skipped < held && line->head[skipped] == ' ') skipped++;
    memcpy(rest, line->head + skipped, held - skipped);
    rest[held - skipped] = '\0';
    return rest;
}
