/* A stretch that is opened again after it was settled stays one stretch, from its
 * first beginning: who stands in the gap between is told once too often rather
 * than once too seldom. */
#include "hub/told.h"

#include "base/alloc.h"
#include "base/check.h"

struct stretch {
    struct list node;          /* in _oldest_first, while it has no mark */
    struct atom *user, *topic; /* references; user may be NULL */
    uint8_t server;            /* the topic's */
    uint32_t marks;
    uint64_t from, to; /* cursors that may not know; to 0: none yet */
};

static uint64_t key_hash(const struct atom *user, const struct atom *topic)
{
    return lookup_mix(user ? user->hash : 0, topic->hash);
}

static uint64_t hash(const void *thing)
{
    const struct stretch *stretch = thing;
    return key_hash(stretch->user, stretch->topic);
}

static bool is(const void *thing, const void *key)
{
    const struct stretch *a = thing, *b = key;
    return a->topic == b->topic && a->user == b->user;
}

static struct stretch *find(const struct told *told, struct atom *user, struct atom *topic)
{
    struct stretch key = {.user = user, .topic = topic};
    return lookup_find(&told->_by_key, key_hash(user, topic), is, &key);
}

static struct stretch *add(struct told *told, struct atom *user, struct atom *topic, uint8_t server,
                           uint64_t from)
{
    struct stretch *stretch = xmalloc(sizeof(*stretch));
    *stretch = (struct stretch){
        .user = atom_ref(user), .topic = atom_ref(topic), .server = server, .from = from};
    list_create(&stretch->node);
    lookup_add(&told->_by_key, stretch);
    return stretch;
}

static void drop(struct told *told, struct stretch *stretch)
{
    lookup_remove(&told->_by_key, stretch);
    list_remove(&stretch->node);
    atom_unref(stretch->user);
    atom_unref(stretch->topic);
    xfree(stretch);
}

void told_create(struct told *told, struct stretch_watcher *watcher)
{
    *told = (struct told){._watcher = watcher};
    lookup_create(&told->_by_key, hash);
    list_create(&told->_oldest_first);
}

void told_destroy(struct told *told)
{
    LIST_EACH(node, &told->_oldest_first)
    {
        drop(told, CONTAINER(node, struct stretch, node));
    }
    CHECK(told->_by_key.count == 0);
    lookup_destroy(&told->_by_key);
}

static void report(const struct told *told, const struct stretch *stretch)
{
    struct stretch_watcher *watcher = told->_watcher;
    if (watcher)
        watcher->changed(watcher, stretch->user, stretch->topic, stretch->server, stretch->from,
                         stretch->marks ? STRETCH_OPEN : stretch->to);
}

void told_widen(struct told *told, struct stretch *stretch, uint64_t from)
{
    if (from >= stretch->from) return;
    stretch->from = from;
    report(told, stretch);
}

struct stretch *told_open(struct told *told, struct atom *user, struct atom *topic, uint8_t server,
                          uint64_t from)
{
    struct stretch *stretch = find(told, user, topic);
    if (!stretch) stretch = add(told, user, topic, server, from);
    if (!list_empty(&stretch->node)) told->_settled--;
    list_remove(&stretch->node);
    const bool changed = !stretch->marks++ || from < stretch->from;
    if (from < stretch->from) stretch->from = from;
    if (changed) report(told, stretch);
    return stretch;
}

void told_close(struct told *told, struct stretch *stretch, uint64_t to)
{
    if (to > stretch->to) stretch->to = to;
    if (--stretch->marks) return;
    report(told, stretch);
    if (!stretch->to) {
        drop(told, stretch);
        return;
    }
    list_append(&told->_oldest_first, &stretch->node);
    if (++told->_settled <= TOLD_MAX) return;
    struct stretch *oldest = CONTAINER(told->_oldest_first.next, struct stretch, node);
    uint64_t *floor = &told->_floors.at[oldest->server];
    if (oldest->to > *floor) *floor = oldest->to;
    told->_settled--;
    drop(told, oldest);
}

bool told_concerns(const struct told *told, struct atom *user, struct atom *topic, uint8_t server,
                   uint64_t place)
{
    if (place <= told->_floors.at[server]) return true;
    const struct stretch *stretch = find(told, user, topic);
    return stretch && stretch->from <= place && (stretch->marks || place <= stretch->to);
}
