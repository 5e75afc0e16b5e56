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

bool netstring_take_number(struct bytes *rest, uint64_t *number)
{
    return text_take_number(rest, ';', number);
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
    if (!text_take_number(rest, ':', &size) || size >= rest->size || rest->data[size] != ',') return false;
    *text = bytes_run(rest->data, size);
    *rest = bytes_run(rest->data + size + 1, rest->size - size - 1);
    return true;
}
