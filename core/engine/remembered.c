#include "engine/remembered.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

void remembered_base(struct buf *out, const struct places *base, uint32_t servers)
{
    for (uint32_t i = 0; i < servers; i++)
        buf_printf(out, i ? ",%" PRIu64 : "%" PRIu64, base->at[i]);
    buf_add_char(out, ' ');
}

/* What stands in front of the next of these, or all. */
static struct bytes take_until(struct bytes *text, char end)
{
    const char *at = text->size ? memchr(text->data, end, text->size) : NULL;
    const struct bytes taken = bytes_run(text->data, at ? (size_t)(at - text->data) : text->size);
    const size_t gone = at ? taken.size + 1 : taken.size;
    *text = bytes_run(text->data + gone, text->size - gone);
    return taken;
}

static uint64_t take_place(struct bytes *list)
{
    const long long place = text_number(take_until(list, ','), INT64_MAX);
    return place < 0 ? 0 : (uint64_t)place;
}

bool remembered_read(struct bytes record, struct bytes hash, uint32_t server, struct places *places,
                     struct bytes *rest)
{
    if (!bytes_equal(take_until(&record, ' '), hash)) return false;
    struct bytes own = take_until(&record, ' '), base = take_until(&record, ' ');
    *places = (struct places){{0}};
    for (uint32_t i = 0; base.size && i < CURSOR_SERVERS; i++) places->at[i] = take_place(&base);
    while (own.size) {
        const uint64_t place = take_place(&own);
        if (place > places->at[server]) places->at[server] = place;
    }
    *rest = record;
    return true;
}
