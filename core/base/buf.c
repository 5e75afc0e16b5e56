#include "base/buf.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"

void buf_destroy(struct buf *buf)
{
    xfree(buf->data);
    *buf = BUF_EMPTY;
}

char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->size + more > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : 64;
        while (capacity < buf->size + more) capacity *= 2;
        buf->data = xrealloc(buf->data, capacity);
        buf->capacity = capacity;
    }
    return buf->size ? buf->data + buf->size : buf->data; /* NULL + 0 is undefined */
}

void buf_add(struct buf *buf, const void *data, size_t size)
{
    if (!size) return;
    memcpy(buf_reserve(buf, size), data, size);
    buf->size += size;
}

void buf_add_bytes(struct buf *buf, struct bytes bytes)
{
    buf_add(buf, bytes.data, bytes.size);
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->size++;
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    if (size > 0) {
        vsnprintf(buf_reserve(buf, (size_t)size + 1), (size_t)size + 1, format, again);
        buf->size += (size_t)size;
    }
    va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(buf, format, arguments);
    va_end(arguments);
}

void buf_consume(struct buf *buf, size_t size)
{
    CHECK(size <= buf->size);
    if (!size) return;
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->data;
}

char *buf_take(struct buf *buf)
{
    buf_text(buf);
    char *data = buf->data;
    *buf = BUF_EMPTY;
    return data;
}
