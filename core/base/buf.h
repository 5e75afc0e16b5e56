/* buf: a growable run of bytes that its holder owns. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/bytes.h"

struct buf {
    char *data; /* NULL while nothing was added */
    size_t size, capacity;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0})

/* Frees the memory; the buf is empty and usable afterwards. */
void buf_destroy(struct buf *buf);

/* Room for `more` bytes after size; returns where they go. Add to size what was written. */
char *buf_reserve(struct buf *buf, size_t more);

void buf_add(struct buf *buf, const void *data, size_t size);
void buf_add_bytes(struct buf *buf, struct bytes bytes);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list arguments);

/* Drops the first `size` bytes. */
void buf_consume(struct buf *buf, size_t size);

/* Terminates with NUL (not counted in size) and returns the text, still owned by the buf. */
const char *buf_text(struct buf *buf);

/* Hands the memory, NUL-terminated, to the caller (xfree it); the buf is empty afterwards. */
char *buf_take(struct buf *buf);

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->data, buf->size};
}

static inline void buf_clear(struct buf *buf)
{
    buf->size = 0;
}
