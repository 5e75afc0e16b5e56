/* An entry knows its topic better than the floor does: it is also kept, and
 * believed, where it is below the floor that others raised. */
#include "hub/forgotten.h"

#include "base/alloc.h"

struct last {
    struct list node;
    struct atom *name;
    uint64_t lost;
};

static uint64_t hash(const void *thing)
{
    return ((const struct last *)thing)->name->hash;
}

static bool is(const void *thing, const void *key)
{
    return ((const struct last *)thing)->name == key;
}

static struct last *find(const struct forgotten *forgotten, struct atom *name)
{
    return lookup_find(&forgotten->_by_name, name->hash, is, name);
}

static void drop(struct forgotten *forgotten, struct last *last)
{
    lookup_remove(&forgotten->_by_name, last);
    list_remove(&last->node);
    atom_unref(last->name);
    xfree(last);
}

void forgotten_create(struct forgotten *forgotten, uint32_t limit, uint64_t floor)
{
    *forgotten = (struct forgotten){._limit = limit, .floor = floor};
    lookup_create(&forgotten->_by_name, hash);
    list_create(&forgotten->_oldest_first);
}

void forgotten_destroy(struct forgotten *forgotten)
{
    LIST_EACH(node, &forgotten->_oldest_first)
    {
        drop(forgotten, CONTAINER(node, struct last, node));
    }
    lookup_destroy(&forgotten->_by_name);
}

static void shrink(struct forgotten *forgotten)
{
    while (forgotten->_by_name.count > forgotten->_limit) {
        struct last *oldest = CONTAINER(forgotten->_oldest_first.next, struct last, node);
        if (oldest->lost > forgotten->floor) forgotten->floor = oldest->lost;
        drop(forgotten, oldest);
    }
}

void forgotten_set_limit(struct forgotten *forgotten, uint32_t limit)
{
    forgotten->_limit = limit;
    shrink(forgotten);
}

void forgotten_put(struct forgotten *forgotten, struct atom *name, uint64_t lost)
{
    struct last *last = find(forgotten, name);
    if (!last) {
        last = xmalloc(sizeof(*last));
        *last = (struct last){.name = atom_ref(name)};
        list_create(&last->node);
        lookup_add(&forgotten->_by_name, last);
    }
    last->lost = lost;
    list_remove(&last->node);
    list_append(&forgotten->_oldest_first, &last->node);
    shrink(forgotten);
}

uint64_t forgotten_take(struct forgotten *forgotten, struct atom *name)
{
    struct last *last = find(forgotten, name);
    if (!last) return forgotten->floor;
    uint64_t lost = last->lost;
    drop(forgotten, last);
    return lost;
}
