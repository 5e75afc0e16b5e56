/* A ring that starts small and doubles, so that a topic which never had more
 * than three triggers does not pay for the 512 that its rule allows. The memory
 * goes when the last frame does. */
#include "hub/history.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "event/frame.h"

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

static void drop_oldest(struct history *history)
{
    struct frame *frame = history_at(history, 0);
    history->_first++;
    history->count--;
    history->lost = frame->position;
    frame_unref(frame);
    if (history->count) return;
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
        history->lost = frame->position;
        return;
    }
    history_trim(history, size - 1);
    if (history->count == history->_capacity) grow(history);
    history->_ring[(history->_first + history->count) & (history->_capacity - 1)] =
        frame_ref(frame);
    history->count++;
}

void history_expire(struct history *history, uint64_t until_ms)
{
    while (history->count && history_at(history, 0)->at_ms <= until_ms) drop_oldest(history);
}

uint32_t history_after(const struct history *history, uint64_t position)
{
    uint32_t low = 0, high = history->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history_at(history, middle)->position > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
