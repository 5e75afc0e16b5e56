/* What is too old leaves when something is put: two for one, so that what is there is
 * never much more than what is good, without a timer. */
#include "engine/permits.h"

#include "base/alloc.h"

enum { DRAWERS = 1024 };

struct permit_entry {
    struct list node;
    struct list of_topic, of_user; /* in their drawers */
    struct atom *topic, *key, *user; /* references */
    uint64_t until_ms;
    bool yes;
};

struct wanted {
    const struct atom *topic, *key, *user;
};

static uint64_t hash_of(const struct atom *topic, const struct atom *key, const struct atom *user)
{
    return lookup_mix(lookup_mix(topic->hash, key->hash), user->hash);
}

static uint64_t hash_entry(const void *thing)
{
    const struct permit_entry *entry = thing;
    return hash_of(entry->topic, entry->key, entry->user);
}

static bool is_wanted(const void *thing, const void *key)
{
    const struct permit_entry *entry = thing;
    const struct wanted *wanted = key;
    return entry->user == wanted->user && entry->key == wanted->key &&
           entry->topic == wanted->topic;
}

static struct permit_entry *find(const struct permits *permits, const struct atom *topic,
                                 const struct atom *key, const struct atom *user)
{
    const struct wanted wanted = {topic, key, user};
    return lookup_find(&permits->_by_all, hash_of(topic, key, user), is_wanted, &wanted);
}

static struct list *drawer(struct list *drawers, const struct atom *atom)
{
    return &drawers[(atom->hash >> 20) % DRAWERS];
}

static struct list *new_drawers(void)
{
    struct list *drawers = xmalloc(DRAWERS * sizeof(*drawers));
    for (size_t i = 0; i < DRAWERS; i++) list_create(&drawers[i]);
    return drawers;
}

static struct permit_entry *oldest(const struct permits *permits)
{
    return list_empty(&permits->_oldest_first)
               ? NULL
               : CONTAINER(permits->_oldest_first.next, struct permit_entry, node);
}

static void drop(struct permits *permits, struct permit_entry *entry)
{
    lookup_remove(&permits->_by_all, entry);
    list_remove(&entry->node);
    list_remove(&entry->of_topic);
    list_remove(&entry->of_user);
    atom_unref(entry->topic);
    atom_unref(entry->key);
    atom_unref(entry->user);
    xfree(entry);
}

void permits_create(struct permits *permits)
{
    *permits = (struct permits){0};
    lookup_create(&permits->_by_all, hash_entry);
    list_create(&permits->_oldest_first);
}

void permits_destroy(struct permits *permits)
{
    permits_forget(permits, NULL, NULL);
    lookup_destroy(&permits->_by_all);
    xfree(permits->_by_topic);
    xfree(permits->_by_user);
}

enum permit permits_find(const struct permits *permits, struct atom *topic, struct atom *key,
                         struct atom *user, uint64_t now_ms)
{
    const struct permit_entry *entry = find(permits, topic, key, user);
    if (!entry || entry->until_ms <= now_ms) return PERMIT_NONE;
    return entry->yes ? PERMIT_YES : PERMIT_NO;
}

static void make_room(struct permits *permits, uint64_t now_ms, uint32_t max)
{
    struct permit_entry *entry;
    for (int i = 0; i < 2 && (entry = oldest(permits)) && entry->until_ms <= now_ms; i++)
        drop(permits, entry);
    while (permits->_by_all.count >= max && (entry = oldest(permits))) drop(permits, entry);
}

void permits_put(struct permits *permits, struct atom *topic, struct atom *key, struct atom *user,
                 bool yes, uint64_t now_ms, uint64_t until_ms, uint32_t max)
{
    struct permit_entry *entry = find(permits, topic, key, user);
    if (entry && entry->until_ms > until_ms) return;
    if (entry) drop(permits, entry);
    make_room(permits, now_ms, max);
    if (!max || until_ms <= now_ms) return;
    entry = xmalloc(sizeof(*entry));
    *entry = (struct permit_entry){.topic = atom_ref(topic),
                                   .key = atom_ref(key),
                                   .user = atom_ref(user),
                                   .until_ms = until_ms,
                                   .yes = yes};
    if (!permits->_by_user) permits->_by_user = new_drawers();
    if (!permits->_by_topic) permits->_by_topic = new_drawers();
    list_append(&permits->_oldest_first, &entry->node);
    list_append(drawer(permits->_by_topic, topic), &entry->of_topic);
    list_append(drawer(permits->_by_user, user), &entry->of_user);
    lookup_add(&permits->_by_all, entry);
}

static void drop_meant(struct permits *permits, struct permit_entry *entry,
                       const struct atom *topic, const struct atom *user)
{
    if ((!topic || entry->topic == topic) && (!user || entry->user == user)) drop(permits, entry);
}

void permits_forget(struct permits *permits, const struct atom *topic, const struct atom *user)
{
    if (!permits->_by_user) return;
    if (user)
        LIST_EACH(node, drawer(permits->_by_user, user))
            drop_meant(permits, CONTAINER(node, struct permit_entry, of_user), topic, user);
    else if (topic)
        LIST_EACH(node, drawer(permits->_by_topic, topic))
            drop_meant(permits, CONTAINER(node, struct permit_entry, of_topic), topic, user);
    else
        LIST_EACH(node, &permits->_oldest_first)
            drop(permits, CONTAINER(node, struct permit_entry, node));
}

uint32_t permits_count(const struct permits *permits)
{
    return permits->_by_all.count;
}
