/* seats: the table of an app's seats by number. A number is never used twice,
 * so that a handle that a script kept finds its own seat or nothing; and it rises
 * with every seat, so that of two the newer is known. */
#pragma once

#include <stdint.h>

struct atom;
struct seat;
struct subscriber;
struct seats_slot;

struct seats {
    struct seats_slot *_slots;
    uint32_t _size, _free; /* _free: first free index + 1 */
    uint32_t count;
    uint64_t _added;
};

#define SEATS_EMPTY ((struct seats){NULL, 0, 0, 0, 0})

void seats_destroy(struct seats *seats);
uint64_t seats_add(struct seats *seats, struct seat *seat);
struct seat *seats_find(const struct seats *seats, uint64_t number); /* or NULL */
void seats_remove(struct seats *seats, uint64_t number);

/* Walks all: start with 0; returns NULL at the end. *index is the place to go on from. Seats may be
 * removed on the way, and those added meanwhile may be missed. */
struct seat *seats_next(const struct seats *seats, uint32_t *index);

/* Of a subscriber: the name of its stream, and since when it is live, in seconds since 1970. */
struct atom *seats_stream(struct subscriber *subscriber, uint32_t *since_s);
