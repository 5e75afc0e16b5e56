/* One chained table for the whole process, doubled when it holds an atom per
 * bucket and halved when it holds one per eight, so that a look-up costs one
 * hash, one bucket and, nearly always, one comparison. The hash stands in the
 * atom: growing hashes nothing again, and two names that differ are told apart
 * without a look at their text. The table goes with the last atom, so that a
 * spec can assert that nothing is left.
 *
 * Counts are plain integers: the core is one thread. */
#include "base/atom.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"

enum { SMALLEST = 64 };

static struct {
    struct atom **buckets;
    uint32_t size, count;
} table;

static struct atom **bucket_of(uint64_t hash)
{
    return &table.buckets[hash & (table.size - 1)];
}

static void resize(uint32_t size)
{
    struct atom **old = table.buckets;
    uint32_t old_size = table.size;
    table.buckets = xcalloc(size, sizeof(*table.buckets));
    table.size = size;
    for (uint32_t i = 0; i < old_size; i++) {
        for (struct atom *atom = old[i], *next; atom; atom = next) {
            next = atom->_next;
            struct atom **bucket = bucket_of(atom->hash);
            atom->_next = *bucket;
            *bucket = atom;
        }
    }
    xfree(old);
}

static struct atom *find(uint64_t hash, struct bytes content)
{
    if (!table.count) return NULL;
    for (struct atom *atom = *bucket_of(hash); atom; atom = atom->_next)
        if (atom->hash == hash && bytes_equal(atom_bytes(atom), content)) return atom;
    return NULL;
}

struct atom *atom_get(struct bytes content)
{
    uint64_t hash = hash_bytes(content.data, content.size);
    struct atom *atom = find(hash, content);
    if (atom) return atom_ref(atom);

    CHECK(content.size < UINT32_MAX);
    if (table.count == table.size) resize(table.size ? table.size * 2 : SMALLEST);
    atom = xmalloc(sizeof(*atom) + content.size + 1);
    atom->refs = 1;
    atom->size = (uint32_t)content.size;
    atom->hash = hash;
    if (content.size) memcpy(atom->text, content.data, content.size);
    atom->text[content.size] = '\0';

    struct atom **bucket = bucket_of(hash);
    atom->_next = *bucket;
    *bucket = atom;
    table.count++;
    return atom;
}

struct atom *atom_of(const char *text)
{
    return atom_get(bytes_of(text));
}

struct atom *atom_find(struct bytes content)
{
    return find(hash_bytes(content.data, content.size), content);
}

struct atom *atom_ref(struct atom *atom)
{
    if (atom) {
        CHECK(atom->refs < UINT32_MAX);
        atom->refs++;
    }
    return atom;
}

static void forget(struct atom *atom)
{
    struct atom **link = bucket_of(atom->hash);
    while (*link != atom) link = &(*link)->_next;
    *link = atom->_next;
    xfree(atom);
    if (--table.count == 0) {
        xfree(table.buckets);
        table.buckets = NULL;
        table.size = 0;
    } else if (table.size > SMALLEST && table.count < table.size / 8) {
        resize(table.size / 2);
    }
}

void atom_unref(struct atom *atom)
{
    if (!atom) return;
    CHECK(atom->refs > 0);
    if (--atom->refs == 0) forget(atom);
}

uint32_t atom_live(void)
{
    return table.count;
}
