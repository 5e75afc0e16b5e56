/* Entries stand in a dict; those with a time-out have a wheel timer each, so that
 * a store full of forgotten entries empties itself. Listing by prefix sorts what
 * it found: it is for people and start-up, not for the hot path.
 *
 * A store over another marks what was deleted, or timed out, as gone, so that the
 * other's entry does not show through. */
#include "hub/store.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/dict.h"

struct entry {
    struct store *store;
    struct timer timer;
    struct bytes key; /* in the value block, behind the value */
    size_t size;
    bool gone; /* hides the base's */
    char value[];
};

struct store {
    struct clock *clock;
    struct store *base; /* or NULL */
    struct dict entries;
    uint32_t max_entries;
    size_t max_bytes, bytes;
};

struct store *store_new(struct clock *clock, uint32_t max_entries, size_t max_bytes)
{
    struct store *store = xcalloc(1, sizeof(*store));
    store->clock = clock;
    store->max_entries = max_entries;
    store->max_bytes = max_bytes;
    return store;
}

struct store *store_new_over(struct store *base)
{
    struct store *store = store_new(base->clock, base->max_entries, base->max_bytes);
    store->base = base;
    return store;
}

static void entry_free(struct entry *entry)
{
    clock_cancel(entry->store->clock, &entry->timer);
    entry->store->bytes -= entry->key.size + entry->size;
    xfree(entry);
}

void store_set_limits(struct store *store, uint32_t max_entries, size_t max_bytes)
{
    store->max_entries = max_entries;
    store->max_bytes = max_bytes;
}

void store_free(struct store *store)
{
    for (struct dict_entry *at = NULL; (at = dict_next(&store->entries, at));)
        entry_free(at->value);
    dict_destroy(&store->entries);
    xfree(store);
}

struct bytes store_get(struct store *store, struct bytes key)
{
    const struct entry *entry = dict_get(&store->entries, key);
    if (entry && !entry->gone) return bytes_run(entry->value, entry->size);
    if (entry || !store->base) return (struct bytes){NULL, 0};
    return store_get(store->base, key);
}

static void expire(struct timer *timer)
{
    struct entry *entry = CONTAINER(timer, struct entry, timer);
    store_delete(entry->store, entry->key);
}

static struct entry *put(struct store *store, struct bytes key, struct bytes value)
{
    struct entry *old = dict_get(&store->entries, key);
    size_t freed = old ? old->key.size + old->size : 0;
    if ((!old && store->entries.count >= store->max_entries) ||
        store->bytes - freed + key.size + value.size > store->max_bytes)
        return NULL;
    struct entry *entry = xmalloc(sizeof(*entry) + value.size + key.size);
    entry->store = store;
    entry->size = value.size;
    entry->gone = false;
    if (value.size) memcpy(entry->value, value.data, value.size);
    if (key.size) memcpy(entry->value + value.size, key.data, key.size);
    entry->key = bytes_run(entry->value + value.size, key.size);
    timer_init(&entry->timer, expire);
    store->bytes += key.size + value.size;
    dict_set(&store->entries, entry->key, entry);
    if (old) entry_free(old);
    return entry;
}

bool store_set(struct store *store, struct bytes key, struct bytes value, uint64_t ttl_ms)
{
    struct entry *entry = put(store, key, value);
    if (entry && ttl_ms) clock_after(store->clock, &entry->timer, ttl_ms);
    return entry;
}

bool store_delete(struct store *store, struct bytes key)
{
    const bool there = store_get(store, key).data;
    if (store->base && store_get(store->base, key).data) {
        struct entry *mark = put(store, key, BYTES(""));
        if (mark) mark->gone = true;
        return there;
    }
    struct entry *entry = dict_remove(&store->entries, key);
    if (entry) entry_free(entry);
    return there;
}

enum store_added store_add(struct store *store, struct bytes key, struct bytes value,
                           uint64_t ttl_ms)
{
    if (store_get(store, key).data) return STORE_EXISTS;
    return store_set(store, key, value, ttl_ms) ? STORE_ADDED : STORE_FULL;
}

static int by_key(const void *a, const void *b)
{
    struct bytes left = (*(struct entry *const *)a)->key, right = (*(struct entry *const *)b)->key;
    size_t common = left.size < right.size ? left.size : right.size;
    int order = memcmp(left.data, right.data, common);
    return order ? order : (left.size > right.size) - (left.size < right.size);
}

static bool begins_with(struct bytes key, struct bytes prefix)
{
    return key.size >= prefix.size && bytes_equal(bytes_run(key.data, prefix.size), prefix);
}

/* Adds what the store has of this prefix, but what one over it has, or hides; returns how many. */
static size_t find(const struct store *store, const struct store *over, struct bytes prefix,
                   struct entry **found)
{
    size_t count = 0;
    for (struct dict_entry *at = NULL; (at = dict_next(&store->entries, at));) {
        struct entry *entry = at->value;
        if (!begins_with(entry->key, prefix) || entry->gone) continue;
        if (!over || !dict_get(&over->entries, entry->key)) found[count++] = entry;
    }
    return count;
}

void store_each(struct store *store, struct bytes prefix,
                void (*each)(void *ctx, struct bytes key, struct bytes value), void *ctx)
{
    const struct store *base = store->base;
    struct entry **found =
        xcalloc(store->entries.count + (base ? base->entries.count : 0), sizeof(*found));
    size_t count = find(store, NULL, prefix, found);
    if (base) count += find(base, store, prefix, found + count);
    if (count) qsort(found, count, sizeof(*found), by_key);
    for (size_t i = 0; i < count; i++)
        each(ctx, found[i]->key, bytes_run(found[i]->value, found[i]->size));
    xfree(found);
}

bool store_is_half_free(const struct store *store)
{
    return store->entries.count <= store->max_entries / 2 && store->bytes <= store->max_bytes / 2;
}

uint32_t store_count(const struct store *store)
{
    return store->entries.count;
}

size_t store_bytes(const struct store *store)
{
    return store->bytes;
}
