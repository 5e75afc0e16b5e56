#include "event/parcel.h"

#include "base/netstring.h"

void parcel_write(struct buf *out, const struct parcel *parcel)
{
    netstring_add(out, parcel->type);
    netstring_add(out, parcel->data);
    netstring_add(out, parcel->replaces);
    netstring_add(out, parcel->user);
    netstring_add(out, parcel->tag);
    netstring_add(out, parcel->meta);
    netstring_add(out, parcel->id);
    netstring_add(out, parcel->node);
    netstring_add_number(out, parcel->cause);
    netstring_add_number(out, parcel->retry_ms);
}

bool parcel_read(struct bytes rest, struct parcel *parcel)
{
    return netstring_take(&rest, &parcel->type) && netstring_take(&rest, &parcel->data) &&
           netstring_take(&rest, &parcel->replaces) && netstring_take(&rest, &parcel->user) &&
           netstring_take(&rest, &parcel->tag) && netstring_take(&rest, &parcel->meta) &&
           netstring_take(&rest, &parcel->id) && netstring_take(&rest, &parcel->node) &&
           netstring_take_number(&rest, &parcel->cause) &&
           netstring_take_number(&rest, &parcel->retry_ms);
}
