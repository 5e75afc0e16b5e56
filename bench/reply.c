/*
 *   HEAD ──blank line──▶ BODY ──length used up──▶ HEAD         Content-Length
 *                        BODY (for ever)                       neither
 *                        SIZE ──▶ CHUNK ──▶ CHUNK_END ──▶ SIZE  chunked
 *                        SIZE ──size 0──▶ TRAILER ──▶ HEAD
 *
 * Each phase's function moves to the next; FINISHED stands between a complete body and
 * the next HEAD so that an empty body is reported too.
 */

#include "reply.h"

#include <stdlib.h>

enum { HEAD, BODY, SIZE, CHUNK, CHUNK_END, TRAILER, FINISHED };
enum { TO_THE_END, SIZED, CHUNKED };

static void read_field(struct reply *reply)
{
    const char *value;

    if (reply->status == 0) {
        value = line_after(&reply->line, "HTTP/1.1");
        reply->status = value ? (uint16_t)atoi(value) : 999;
    } else if ((value = line_after(&reply->line, "Content-Length:"))) {
        reply->framing = SIZED;
        reply->left = (uint32_t)strtoul(value, NULL, 10);
    } else if (line_after(&reply->line, "Transfer-Encoding:")) {
        reply->framing = CHUNKED;
        reply->left = 0;
    }
}

static void begin_body(struct reply *reply)
{
    int empty = reply->status == 204 || reply->status == 304;

    if (reply->framing == CHUNKED)
        reply->phase = SIZE;
    else if (empty || (reply->framing == SIZED && reply->left == 0))
        reply->phase = FINISHED;
    else
        reply->phase = BODY;
}

/* Returns 1 at the blank line. */
static int read_head(struct reply *reply, const char **at, const char *end)
{
    while (line_take(&reply->line, at, end)) {
        int blank = reply->line.length == 0;

        if (blank)
            begin_body(reply);
        else
            read_field(reply);
        line_clear(&reply->line);
        if (blank) return 1;
    }
    return 0;
}

static void read_size(struct reply *reply, const char **at, const char *end)
{
    if (!line_take(&reply->line, at, end)) return;
    reply->left = (uint32_t)strtoul(line_after(&reply->line, ""), NULL, 16);
    reply->phase = reply->left ? CHUNK : TRAILER;
    line_clear(&reply->line);
}

/* The line end after a chunk; the trailer up to its blank line. */
static void read_after(struct reply *reply, const char **at, const char *end)
{
    if (!line_take(&reply->line, at, end)) return;
    if (reply->phase == CHUNK_END)
        reply->phase = SIZE;
    else if (reply->line.length == 0)
        reply->phase = FINISHED;
    line_clear(&reply->line);
}

static void take_body(struct reply *reply, const char **at, const char *end, const char **body,
                      size_t *length)
{
    size_t there = (size_t)(end - *at);

    *body = *at;
    *length = there;
    if (reply->framing != TO_THE_END) {
        *length = there < reply->left ? there : reply->left;
        reply->left -= (uint32_t)*length;
        if (reply->left == 0) reply->phase = reply->phase == CHUNK ? CHUNK_END : FINISHED;
    }
    *at += *length;
}

enum reply_step reply_step(struct reply *reply, const char **at, const char *end, const char **body,
                           size_t *length)
{
    for (;;) {
        if (reply->phase == FINISHED) {
            *reply = (struct reply){0};
            return REPLY_END;
        }
        if (*at == end) return REPLY_MORE;
        switch (reply->phase) {
        case HEAD:
            if (read_head(reply, at, end)) return REPLY_HEAD;
            break;
        case SIZE:
            read_size(reply, at, end);
            break;
        case CHUNK_END:
        case TRAILER:
            read_after(reply, at, end);
            break;
        default:
            take_body(reply, at, end, body, length);
            return REPLY_BODY;
        }
    }
}
