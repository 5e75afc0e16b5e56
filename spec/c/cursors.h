/* cursors: those of one server, by the number in them. */
#pragma once

#include "event/cursor.h"
#include "unit.h"

static inline void write_cursor(const struct cursor_epoch *epoch, uint64_t place, char *out)
{
    assert_int_equal(cursor_write(epoch, &(struct places){{place}}, out), CURSOR_SIZE);
}

/* -1: it is none. */
static inline int64_t read_cursor(const struct cursor_epoch *epoch, struct bytes cursor)
{
    struct places places;
    return cursor_read(epoch, cursor, &places) ? (int64_t)places.at[0] : -1;
}
