/* reservation: what one node is about to do under an id is not begun by another meanwhile, where nodes share a Redis:
 * the record that will say how it was answered (engine/remembered.h) is reserved first. If its node dies, or the time
 * for it passes, another may have it; what both publish then is published once all the same, because publishing
 * under a record that is there publishes nothing.
 *
 *   FREE ── ask ──▶ ASKING ──▶ MINE ── publishes ──▶ (the record is written)
 *     ▲                │         │
 *     └────────────────┴─────────┴── let go
 *
 * Embedded in who does it; zeroed: it has none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "event/cursor.h"

struct cluster_call;
struct joint;

enum { RESERVATION_HASH_SIZE = 32 };

enum reserved {
    RESERVED_MINE,
    RESERVED_WAITS, /* another node is about to; to be asked again in a while */
    RESERVED_AGAIN, /* it was done */
    RESERVED_OTHER, /* something else was, under this key */
    RESERVED_NOT    /* the server does not answer: nobody knows */
};

struct reservation_answer {
    enum reserved reserved;
    struct places places; /* AGAIN: those that who asked first was told, */
    struct bytes rest;    /* and the record's own part. Borrowed */
    const char *code;     /* NOT: the bus's */
};

typedef void reservation_done_f(void *owner, const struct reservation_answer *answer);

struct reservation {
    struct joint *_joint;
    struct buf key;                   /* of the record */
    char hash[RESERVATION_HASH_SIZE]; /* of what is asked, the same in all processes */
    uint64_t ttl_ms;
    struct cluster_call *_call;
    reservation_done_f *_done;
    void *_owner;
    bool mine;
};

/* The parts of what is asked are hashed each with its size; a record of these names. `ttl_ms`: how long it may take. */
void reservation_create(struct reservation *reservation, struct joint *joint,
                        const struct bytes *names, size_t name_count, const struct bytes *parts,
                        size_t part_count, uint64_t ttl_ms);

/* Asks for it (again). `done` comes later, once. */
void reservation_ask(struct reservation *reservation, reservation_done_f *done, void *owner);

/* The record is written: there is nothing to give back. */
void reservation_kept(struct reservation *reservation);

/* Gives back what it has; `done` will not be called. Harmless for a zeroed one. */
void reservation_destroy(struct reservation *reservation);
