/* batch: see batch.h. Bytes are kept in one buffer that moves as it grows, so
 * while the batch grows they are known by their offsets. */
#include "script/batch.h"

#include <stdint.h>

#include "base/alloc.h"

enum { KEPT_BYTES = 64 << 10, KEPT_ITEMS = 256 };

void batch_destroy(struct batch *batch)
{
    xfree(batch->_items);
    buf_destroy(&batch->_bytes);
    *batch = (struct batch){0};
}

/* Absent (NULL) stays absent; an empty text stays an empty text. */
static struct bytes keep(struct batch *batch, struct bytes bytes)
{
    if (!bytes.data) return bytes;
    uintptr_t offset = batch->_bytes.size + 1;
    buf_add_bytes(&batch->_bytes, bytes);
    return bytes_run((const char *)offset, bytes.size);
}

static void settle(const struct batch *batch, struct bytes *bytes)
{
    if (bytes->data) bytes->data = batch->_bytes.data + ((uintptr_t)bytes->data - 1);
}

bool batch_add(struct batch *batch, const struct app_emit *emit)
{
    if (batch->count >= BATCH_ITEMS_MAX || batch->_bytes.size > BATCH_BYTES_MAX) return false;
    if (batch->count == batch->_capacity) {
        batch->_capacity = batch->_capacity ? batch->_capacity * 2 : 4;
        batch->_items = xrealloc(batch->_items, batch->_capacity * sizeof *batch->_items);
    }
    struct app_emit *item = &batch->_items[batch->count++];
    *item = *emit;
    item->name = keep(batch, emit->name);
    item->emit.type = keep(batch, emit->emit.type);
    item->emit.data = keep(batch, emit->emit.data);
    item->emit.replaces = keep(batch, emit->emit.replaces);
    item->emit.user = keep(batch, emit->emit.user);
    item->emit.tag = keep(batch, emit->emit.tag);
    item->emit.id = keep(batch, emit->emit.id);
    item->emit.meta = keep(batch, emit->emit.meta);
    if (emit->resync) /* with its NUL */
        item->resync = keep(batch, bytes_run(emit->resync, strlen(emit->resync) + 1)).data;
    return true;
}

const struct app_emit *batch_settle(struct batch *batch, const struct event *event,
                                     uint64_t cause)
{
    buf_reserve(&batch->_bytes, 1); /* empty texts point somewhere, too */
    for (size_t i = 0; i < batch->count; i++) {
        struct app_emit *item = &batch->_items[i];
        settle(batch, &item->name);
        settle(batch, &item->emit.type);
        settle(batch, &item->emit.data);
        settle(batch, &item->emit.replaces);
        settle(batch, &item->emit.user);
        settle(batch, &item->emit.tag);
        settle(batch, &item->emit.id);
        settle(batch, &item->emit.meta);
        if (!item->event) item->event = event;
        if (!item->emit.cause) item->emit.cause = cause;
        struct bytes resync = {item->resync, 0};
        settle(batch, &resync);
        item->resync = resync.data;
    }
    return batch->_items;
}

void batch_clear(struct batch *batch)
{
    batch->count = 0;
    buf_clear(&batch->_bytes);
    if (batch->_capacity > KEPT_ITEMS || batch->_bytes.capacity > KEPT_BYTES) batch_destroy(batch);
}
