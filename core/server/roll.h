/* roll: the roll-call at a recording's beginning. Which streams are open is taken
 * down at once; who each of them is, is written to the tape oldest first, a portion
 * a turn, so that nobody waits for ten thousand of them, and no faster than the
 * reader takes it. Then a line says how many there were, and how many had ended
 * before it was their turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/later.h"

struct roll_entry;
struct server;
struct taps;

struct roll {
    struct server *_server;
    struct taps *_taps;
    struct roll_entry *_entries;
    size_t _count, _next, _noted;
    size_t _room; /* as many bytes may wait for the reader; above, it waits, too */
    struct job _job;
};

void roll_create(struct roll *roll, struct server *server, struct taps *taps, size_t room);

/* Of the tape that the taps have now. */
void roll_begin(struct roll *roll);

/* The reader took something. */
void roll_go_on(struct roll *roll);

/* The recording is over. Harmless if none is under way. */
void roll_stop(struct roll *roll);
