#include "base/netstring.h"

#include <inttypes.h>

#include "base/text.h"

void netstring_add(struct buf *out, struct bytes text)
{
    if (!text.data) {
        buf_add_char(out, '-');
        return;
    }
    buf_printf(out, "%zu:", text.size);
    buf_add_bytes(out, text);
    buf_add_char(out, ',');
}

void netstring_add_number(struct buf *out, uint64_t number)
{
    buf_printf(out, "%" PRIu64 ";", number);
}

/* A number and the mark behind it. */
static bool take_number(struct bytes *rest, char mark, uint64_t *number)
{
    const char *end = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
    if (!end) return false;
    const size_t size = (size_t)(end - rest->data);
    const long long read = text_number(bytes_run(rest->data, size), INT64_MAX);
    *number = (uint64_t)read;
    *rest = bytes_run(end + 1, rest->size - size - 1);
    return read >= 0;
}

bool netstring_take_number(struct bytes *rest, uint64_t *number)
{
    return take_number(rest, ';', number);
}

bool netstring_take(struct bytes *rest, struct bytes *text)
{
    uint64_t size;
    *text = (struct bytes){NULL, 0};
    if (!rest->size) return false;
    if (*rest->data == '-') {
        *rest = bytes_run(rest->data + 1, rest->size - 1);
        return true;
    }
    if (!take_number(rest, ':', &size) || size >= rest->size || rest->data[size] != ',') return false;
    *text = bytes_run(rest->data, size);
    *rest = bytes_run(rest->data + size + 1, rest->size - size - 1);
    return true;
}
