#include "engine/seats.h"

#include "base/alloc.h"
#include "base/check.h"

/* A number is the slot's generation (at least 1) above its index. */
struct seats_slot {
    struct seat *seat; /* NULL: free */
    uint32_t generation, next_free;
};

void seats_destroy(struct seats *seats)
{
    xfree(seats->_slots);
    *seats = SEATS_EMPTY;
}

static void grow(struct seats *seats)
{
    uint32_t size = seats->_size ? seats->_size * 2 : 16;
    seats->_slots = xrealloc(seats->_slots, size * sizeof(struct seats_slot));
    for (uint32_t i = size; i-- > seats->_size;) {
        seats->_slots[i] = (struct seats_slot){NULL, 0, seats->_free};
        seats->_free = i + 1;
    }
    seats->_size = size;
}

uint64_t seats_add(struct seats *seats, struct seat *seat)
{
    if (!seats->_free) grow(seats);
    uint32_t index = seats->_free - 1;
    struct seats_slot *slot = &seats->_slots[index];
    seats->_free = slot->next_free;
    slot->seat = seat;
    slot->generation++;
    seats->count++;
    return (uint64_t)slot->generation << 32 | index;
}

static struct seats_slot *slot_of(const struct seats *seats, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    if (index >= seats->_size) return NULL;
    struct seats_slot *slot = &seats->_slots[index];
    return slot->seat && slot->generation == number >> 32 ? slot : NULL;
}

struct seat *seats_find(const struct seats *seats, uint64_t number)
{
    struct seats_slot *slot = slot_of(seats, number);
    return slot ? slot->seat : NULL;
}

void seats_remove(struct seats *seats, uint64_t number)
{
    struct seats_slot *slot = slot_of(seats, number);
    CHECK(slot);
    slot->seat = NULL;
    slot->next_free = seats->_free;
    seats->_free = (uint32_t)number + 1;
    seats->count--;
}

struct seat *seats_next(const struct seats *seats, uint32_t *index)
{
    while (*index < seats->_size) {
        struct seat *seat = seats->_slots[(*index)++].seat;
        if (seat) return seat;
    }
    return NULL;
}
