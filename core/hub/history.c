/* A ring that starts small and doubles, so that a topic which never had more
 * than three triggers does not pay for the 512 that its rule allows. The memory
 * goes when the last frame does. */
#include "hub/history.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"
#include "event/frame.h"
#include "hub/lookup.h"

enum { CAPACITY_MIN = 4 }; /* capacities are powers of two */

void history_create(struct history *history, uint64_t lost)
{
    *history = (struct history){.lost = lost};
}

void history_destroy(struct history *history)
{
    history_trim(history, 0);
}

struct frame *history_at(const struct history *history, uint32_t index)
{
    CHECK(index < history->count);
    return history->_ring[(history->_first + index) & (history->_capacity - 1)];
}

static void grow(struct history *history)
{
    uint32_t capacity = history->_capacity ? history->_capacity * 2 : CAPACITY_MIN;
    struct frame **ring = xmalloc(capacity * sizeof(*ring));
    for (uint32_t i = 0; i < history->count; i++) ring[i] = history_at(history, i);
    xfree(history->_ring);
    history->_ring = ring;
    history->_capacity = capacity;
    history->_first = 0;
}

/* ---- by id: the newest frame of each ---- */

static uint64_t hash_id(struct bytes id)
{
    return hash_bytes(id.data, id.size);
}

static uint64_t hash(const void *thing)
{
    return hash_id(frame_id(thing));
}

static bool has_id(const void *thing, const void *key)
{
    return bytes_equal(frame_id(thing), *(const struct bytes *)key);
}

static struct frame *find(const struct history *history, struct bytes id)
{
    return history->_by_id ? lookup_find(history->_by_id, hash_id(id), has_id, &id) : NULL;
}

static void add_id(struct history *history, struct frame *frame)
{
    const struct frame *older = find(history, frame_id(frame));
    frame->repeats = older != NULL;
    if (older)
        lookup_replace(history->_by_id, older, frame);
    else
        lookup_add(history->_by_id, frame);
}

void history_unindex(struct history *history)
{
    if (!history->_by_id) return;
    lookup_destroy(history->_by_id);
    xfree(history->_by_id);
    history->_by_id = NULL;
}

/* ---- frames ---- */

static void drop_oldest(struct history *history)
{
    struct frame *frame = history_at(history, 0);
    if (history->_by_id && find(history, frame_id(frame)) == frame)
        lookup_remove(history->_by_id, frame);
    history->_first++;
    history->count--;
    history->lost = frame->place;
    frame_unref(frame);
    if (history->count) return;
    history_unindex(history);
    xfree(history->_ring);
    history->_ring = NULL;
    history->_first = history->_capacity = 0;
}

void history_trim(struct history *history, uint32_t size)
{
    while (history->count > size) drop_oldest(history);
}

void history_add(struct history *history, struct frame *frame, uint32_t size)
{
    if (size == 0) {
        history_trim(history, 0);
        history->lost = frame->place;
        return;
    }
    history_trim(history, size - 1);
    if (history->count == history->_capacity) grow(history);
    history->_ring[(history->_first + history->count) & (history->_capacity - 1)] =
        frame_ref(frame);
    history->count++;
    if (history->_by_id) add_id(history, frame);
}

void history_expire(struct history *history, uint64_t until_ms)
{
    while (history->count && history_at(history, 0)->at_ms <= until_ms) drop_oldest(history);
}

void history_index(struct history *history)
{
    if (history->_by_id || !history->count) return;
    history->_by_id = xmalloc(sizeof(*history->_by_id));
    lookup_create(history->_by_id, hash);
    for (uint32_t i = 0; i < history->count; i++) add_id(history, history_at(history, i));
}

const struct frame *history_find(const struct history *history, struct bytes id)
{
    const struct frame *frame = find(history, id);
    return frame && !frame->repeats ? frame : NULL;
}

uint32_t history_after(const struct history *history, uint64_t place)
{
    uint32_t low = 0, high = history->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history_at(history, middle)->place > place)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
