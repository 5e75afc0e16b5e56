/* batch: what one handler has emitted so far. Published together when it
 * returns, dropped if it raises. Copies what it is given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/emit.h"

#define BATCH_ITEMS_MAX 10000
#define BATCH_BYTES_MAX ((size_t)16 << 20)

struct batch {
    struct app_emit *_items; /* their bytes are offsets into _bytes until they are published */
    size_t count, _capacity;
    struct buf _bytes;
};

void batch_destroy(struct batch *batch);

/* False: above the bounds. */
bool batch_add(struct batch *batch, const struct app_emit *emit);

/* All of it, in order, as of one call for this event (NULL: for something else), which explain knows
 * as `cause` (or 0); good until batch_clear. */
const struct app_emit *batch_settle(struct batch *batch, const struct event *event,
                                    uint64_t cause);
void batch_clear(struct batch *batch);
