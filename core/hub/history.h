/* history: the newest frames of one topic, oldest first, and what is known of
 * those that it no longer has: `lost`, the newest place that was dropped. A
 * cursor at or above `lost` misses nothing that is not here. Holds references. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct frame;
struct lookup;

struct history {
    struct frame **_ring; /* NULL while empty */
    uint32_t _first, _capacity, count;
    uint64_t lost;
    struct lookup *_by_id; /* of the frames' ids; NULL: not asked for */
};

/* lost: what is known of the time before, 0: nothing was. */
void history_create(struct history *history, uint64_t lost);
void history_destroy(struct history *history);

/* Appends, and drops what is then above `size` frames; with 0 the frame itself is lost at once. */
void history_add(struct history *history, struct frame *frame, uint32_t size);

/* Drops the oldest until at most `size` are left. */
void history_trim(struct history *history, uint32_t size);

/* Drops what took its place at or before this time. */
void history_expire(struct history *history, uint64_t until_ms);

/* The frame at an index from 0, the oldest, to count - 1. Borrowed. */
struct frame *history_at(const struct history *history, uint32_t index);

/* Finds frames by their ids from now on, those too that are there already; or does not any more. An empty
 * history finds nothing and needs none of it: to be called again after a history_add. */
void history_index(struct history *history);
void history_unindex(struct history *history);

/* The frame with this id. NULL: none has it that is known, or more than one had: then nobody
 * can say which of them a client has seen. Borrowed. */
const struct frame *history_find(const struct history *history, struct bytes id);

/* The index of the first frame with a newer place; count: none has. */
uint32_t history_after(const struct history *history, uint64_t place);
