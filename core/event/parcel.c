#include "event/parcel.h"

#include <inttypes.h>

#include "base/text.h"

static void write_part(struct buf *out, struct bytes part)
{
    if (!part.data) {
        buf_add_char(out, '-');
        return;
    }
    buf_printf(out, "%zu:", part.size);
    buf_add_bytes(out, part);
    buf_add_char(out, ',');
}

static void write_number(struct buf *out, uint64_t number)
{
    buf_printf(out, "%" PRIu64 ";", number);
}

void parcel_write(struct buf *out, const struct parcel *parcel)
{
    write_part(out, parcel->type);
    write_part(out, parcel->data);
    write_part(out, parcel->replaces);
    write_part(out, parcel->user);
    write_part(out, parcel->tag);
    write_part(out, parcel->meta);
    write_part(out, parcel->id);
    write_part(out, parcel->node);
    write_number(out, parcel->cause);
    write_number(out, parcel->retry_ms);
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

static bool take_part(struct bytes *rest, struct bytes *part)
{
    uint64_t size;
    *part = (struct bytes){NULL, 0};
    if (!rest->size) return false;
    if (*rest->data == '-') {
        *rest = bytes_run(rest->data + 1, rest->size - 1);
        return true;
    }
    if (!take_number(rest, ':', &size) || size >= rest->size || rest->data[size] != ',') return false;
    *part = bytes_run(rest->data, size);
    *rest = bytes_run(rest->data + size + 1, rest->size - size - 1);
    return true;
}

bool parcel_read(struct bytes rest, struct parcel *parcel)
{
    return take_part(&rest, &parcel->type) && take_part(&rest, &parcel->data) &&
           take_part(&rest, &parcel->replaces) && take_part(&rest, &parcel->user) &&
           take_part(&rest, &parcel->tag) && take_part(&rest, &parcel->meta) &&
           take_part(&rest, &parcel->id) && take_part(&rest, &parcel->node) &&
           take_number(&rest, ';', &parcel->cause) && take_number(&rest, ';', &parcel->retry_ms);
}
