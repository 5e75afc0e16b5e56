/* cursor: a trigger's place in the order as clients see it: the SSE `id:`.
 *
 * Opaque and masked: 32 hex digits, a keyed hash of (epoch, position) and the
 * position hidden under a keyed hash of that (a synthetic initialisation
 * vector), so that nobody can read how busy a server is, count others' triggers
 * or forge a place. A cursor of another epoch - another process - does not
 * verify, which is all that a client's resume needs to know. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"

#define CURSOR_SIZE 32

/* The secrets of one epoch. */
struct cursor_epoch {
    struct hash_key _seal, _mask;
    uint64_t epoch;
};

void cursor_epoch_create(struct cursor_epoch *epoch, uint64_t number, struct hash_key seal,
                         struct hash_key mask);

/* Writes CURSOR_SIZE bytes, not terminated. */
void cursor_write(const struct cursor_epoch *epoch, uint64_t position, char out[CURSOR_SIZE]);

/* The position; -1 if the cursor is not of this epoch (or of nobody). */
int64_t cursor_read(const struct cursor_epoch *epoch, struct bytes cursor);
