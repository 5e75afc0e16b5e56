/* dict: bytes to pointers. Keys are copied; values are the caller's. Iteration
 * is in no order and tolerates removal of the entry at hand only: it stays
 * readable, and dict_next goes on from it, until the next change. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct dict_entry {
    struct dict_entry *_next;
    uint64_t _hash;
    void *value;
    uint32_t key_size;
    char key[];
};

struct dict {
    struct dict_entry **_buckets;
    uint32_t _mask, count;
    struct dict_entry *_removed; /* the last one, kept for a walk that stands on it */
};

#define DICT_EMPTY ((struct dict){NULL, 0, 0, NULL})

/* Frees the entries, not the values. */
void dict_destroy(struct dict *dict);

/* The value under the key, or NULL. */
void *dict_get(const struct dict *dict, struct bytes key);

/* Sets the value (not NULL); returns the value that stood there before, or NULL. */
void *dict_set(struct dict *dict, struct bytes key, void *value);

/* Removes the key; returns its value, or NULL. */
void *dict_remove(struct dict *dict, struct bytes key);

/* Walks all entries: start with NULL, ends with NULL. */
struct dict_entry *dict_next(const struct dict *dict, const struct dict_entry *entry);
