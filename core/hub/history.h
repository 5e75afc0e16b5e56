/* history: the newest frames of one topic, oldest first, and what is known of
 * those that it no longer has: `lost`, the newest position that was dropped. A
 * cursor at or above `lost` misses nothing that is not here. Holds references. */
#pragma once

#include <stdint.h>

struct frame;

struct history {
    struct frame **_ring; /* NULL while empty */
    uint32_t _first, _capacity, count;
    uint64_t lost;
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

/* The index of the first frame newer than the position; count: none is. */
uint32_t history_after(const struct history *history, uint64_t position);
