/* cursor: a trigger's place in the order as clients see it: the SSE `id:`.
 *
 * Each server that gives an order gives *places*; a cursor holds the newest place of each that its
 * client has got. One node alone gives one order: one place. Opaque and masked: 16 hex digits of a keyed
 * hash of the epoch and all places, then 16 for each place, hidden under a keyed hash of that (a synthetic
 * initialisation vector), so that nobody can read how busy a server is, count others' triggers
 * or forge a place. A cursor of another epoch - another process, another number of servers - does not
 * verify, which is all that a client's resume needs to know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"

enum {
    CURSOR_SERVERS = 8,
    CURSOR_SIZE = 32, /* of one server */
    CURSOR_MAX = 16 + 16 * CURSOR_SERVERS
};

/* The secrets of one epoch, and how many servers give places in it. */
struct cursor_epoch {
    struct hash_key _seal, _mask;
    uint64_t epoch;
    uint32_t servers; /* 1 to CURSOR_SERVERS */
};

/* A place of each server; 0: before everything. Those behind the epoch's servers mean nothing. */
struct places {
    uint64_t at[CURSOR_SERVERS];
};

/* Of one server. */
void cursor_epoch_create(struct cursor_epoch *epoch, uint64_t number, struct hash_key seal,
                         struct hash_key mask);

/* Writes 16 + 16 * servers bytes, not terminated, and returns how many. A place is at most INT64_MAX. */
size_t cursor_write(const struct cursor_epoch *epoch, const struct places *places, char *out);

/* False: the cursor is not of this epoch (or of nobody). */
bool cursor_read(const struct cursor_epoch *epoch, struct bytes cursor, struct places *places);
