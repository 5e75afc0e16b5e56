/* atom: an interned, counted string. Equal content is the same pointer for as
 * long as anyone holds it, so names of topics, users, tags and event types are
 * compared by pointer and stored once. Content may hold any byte; it is also
 * NUL-terminated for printing. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct atom {
    uint32_t refs;
    uint32_t size;
    uint64_t hash;
    struct atom *_next;
    char text[];
};

/* Returns the atom of this content with one reference for the caller. */
struct atom *atom_get(struct bytes content);
struct atom *atom_of(const char *text);

/* The atom of this content if anyone holds it, without a new reference; else NULL. */
struct atom *atom_find(struct bytes content);

/* Both take NULL; atom_ref returns its argument. */
struct atom *atom_ref(struct atom *atom);
void atom_unref(struct atom *atom);

static inline struct bytes atom_bytes(const struct atom *atom)
{
    return atom ? (struct bytes){atom->text, atom->size} : (struct bytes){NULL, 0};
}

/* Atoms alive, for specs. */
uint32_t atom_live(void);
