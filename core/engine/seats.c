/* A number is a serial number above the index of the seat's slot: 40 bits last
 * for 34 years of a thousand connects a second, 24 bits for 16 million seats. */
#include "engine/seats.h"

#include "base/alloc.h"
#include "base/check.h"

enum { INDEX_BITS = 24, SIZE_FIRST = 16, SIZE_MOST = 1 << INDEX_BITS };

struct seats_slot {
    uint64_t number; /* 0: free */
    union {
        struct seat *seat;
        uint32_t next_free;
    };
};

void seats_destroy(struct seats *seats)
{
    xfree(seats->_slots);
    *seats = SEATS_EMPTY;
}

static void grow(struct seats *seats)
{
    uint32_t size = seats->_size ? seats->_size * 2 : SIZE_FIRST;
    CHECK(size <= SIZE_MOST);
    seats->_slots = xrealloc(seats->_slots, size * sizeof(struct seats_slot));
    for (uint32_t i = size; i-- > seats->_size;) {
        seats->_slots[i] = (struct seats_slot){.number = 0, .next_free = seats->_free};
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
    slot->number = ++seats->_added << INDEX_BITS | index;
    seats->count++;
    return slot->number;
}

static struct seats_slot *slot_of(const struct seats *seats, uint64_t number)
{
    uint32_t index = number & (SIZE_MOST - 1);
    if (index >= seats->_size) return NULL;
    struct seats_slot *slot = &seats->_slots[index];
    return number && slot->number == number ? slot : NULL;
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
    slot->number = 0;
    slot->next_free = seats->_free;
    seats->_free = (uint32_t)(slot - seats->_slots) + 1;
    seats->count--;
}

struct seat *seats_next(const struct seats *seats, uint32_t *index)
{
    while (*index < seats->_size) {
        const struct seats_slot *slot = &seats->_slots[(*index)++];
        if (slot->number) return slot->seat;
    }
    return NULL;
}
