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

/* All of it, in order; what does not say of which event it is, and what explain knows as its cause, is
 * of these (NULL, 0: of none). Good until batch_clear. */
const struct app_emit *batch_settle(struct batch *batch, const struct event *event,
                                    uint64_t cause);
void batch_clear(struct batch *batch);
