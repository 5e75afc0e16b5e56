/* All are kept for the same time, so that the list is in the order in which they
 * end; who is over goes when somebody looks. */
#include "engine/finals.h"

#include <stddef.h>

#include "base/alloc.h"

struct final {
    struct list node;
    struct atom *stream, *user, *tag; /* references; user or tag may be NULL */
    uint64_t until_ms;
};

static uint64_t hash(const void *thing)
{
    const struct final *final = thing;
    const uint64_t user = final->user ? final->user->hash : 0;
    const uint64_t tag = final->tag ? final->tag->hash : 1;
    return lookup_mix(lookup_mix(final->stream->hash, user), tag);
}

static bool is(const void *thing, const void *key)
{
    const struct final *a = thing, *b = key;
    return a->stream == b->stream && a->user == b->user && a->tag == b->tag;
}

void finals_create(struct finals *finals)
{
    lookup_create(&finals->_by_key, hash);
    list_create(&finals->_oldest_first);
}

static void forget(struct finals *finals, struct final *final)
{
    lookup_remove(&finals->_by_key, final);
    list_remove(&final->node);
    atom_unref(final->stream);
    atom_unref(final->user);
    atom_unref(final->tag);
    xfree(final);
}

static struct final *oldest(const struct finals *finals)
{
    return list_empty(&finals->_oldest_first)
               ? NULL
               : CONTAINER(finals->_oldest_first.next, struct final, node);
}

void finals_destroy(struct finals *finals)
{
    while (oldest(finals)) forget(finals, oldest(finals));
    lookup_destroy(&finals->_by_key);
}

static void forget_those_over(struct finals *finals, uint64_t now_ms)
{
    for (struct final *final; (final = oldest(finals)) && final->until_ms <= now_ms;)
        forget(finals, final);
}

static struct final *find(const struct finals *finals, const struct final *key)
{
    return lookup_find(&finals->_by_key, hash(key), is, key);
}

void finals_add(struct finals *finals, struct atom *stream, struct atom *user, struct atom *tag,
                uint64_t now_ms)
{
    const struct final key = {.stream = stream, .user = user, .tag = tag};
    if (!user && !tag) return;
    forget_those_over(finals, now_ms);
    struct final *known = find(finals, &key);
    if (known) forget(finals, known);
    if (finals->_by_key.count == FINALS_MAX) forget(finals, oldest(finals));
    struct final *final = xmalloc(sizeof(*final));
    *final = (struct final){.stream = atom_ref(stream),
                            .user = atom_ref(user),
                            .tag = atom_ref(tag),
                            .until_ms = now_ms + FINALS_FOR_MS};
    list_create(&final->node);
    list_append(&finals->_oldest_first, &final->node);
    lookup_add(&finals->_by_key, final);
}

bool finals_has(struct finals *finals, const struct atom *stream, const struct atom *user,
                const struct atom *tag, uint64_t now_ms)
{
    const struct final key = {.stream = (struct atom *)stream,
                              .user = (struct atom *)user,
                              .tag = (struct atom *)tag};
    forget_those_over(finals, now_ms);
    return find(finals, &key) != NULL;
}
