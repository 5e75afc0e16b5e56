/* Entries stand in a dict; those with a time-out have a wheel timer each, so that
 * a store full of forgotten entries empties itself. Listing by prefix sorts what
 * it found: it is for people and start-up, not for the hot path. */
#include "hub/store.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/dict.h"

struct entry {
    struct store *store;
    struct timer timer;
    struct bytes key; /* in the value block, behind the value */
    size_t size;
    char value[];
};

struct store {
    struct clock *clock;
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
    struct entry *entry = dict_get(&store->entries, key);
    return entry ? bytes_run(entry->value, entry->size) : (struct bytes){NULL, 0};
}

bool store_delete(struct store *store, struct bytes key)
{
    struct entry *entry = dict_remove(&store->entries, key);
    if (entry) entry_free(entry);
    return entry;
}

static void expire(struct timer *timer)
{
    struct entry *entry = CONTAINER(timer, struct entry, timer);
    store_delete(entry->store, entry->key);
}

bool store_set(struct store *store, struct bytes key, struct bytes value, uint64_t ttl_ms)
{
    struct entry *old = dict_get(&store->entries, key);
    size_t freed = old ? old->key.size + old->size : 0;
    if ((!old && store->entries.count >= store->max_entries) ||
        store->bytes - freed + key.size + value.size > store->max_bytes)
        return false;
    struct entry *entry = xmalloc(sizeof(*entry) + value.size + key.size);
    entry->store = store;
    entry->size = value.size;
    if (value.size) memcpy(entry->value, value.data, value.size);
    if (key.size) memcpy(entry->value + value.size, key.data, key.size);
    entry->key = bytes_run(entry->value + value.size, key.size);
    timer_init(&entry->timer, expire);
    if (ttl_ms) clock_after(store->clock, &entry->timer, ttl_ms);
    store->bytes += key.size + value.size;
    dict_set(&store->entries, entry->key, entry);
    if (old) entry_free(old);
    return true;
}

enum store_added store_add(struct store *store, struct bytes key, struct bytes value,
                           uint64_t ttl_ms)
{
    if (dict_get(&store->entries, key)) return STORE_EXISTS;
    return store_set(store, key, value, ttl_ms) ? STORE_ADDED : STORE_FULL;
}

static int by_key(const void *a, const void *b)
{
    struct bytes left = (*(struct entry *const *)a)->key, right = (*(struct entry *const *)b)->key;
    size_t common = left.size < right.size ? left.size : right.size;
    int order = memcmp(left.data, right.data, common);
    return order ? order : (left.size > right.size) - (left.size < right.size);
}

void store_each(struct store *store, struct bytes prefix,
                void (*each)(void *ctx, struct bytes key, struct bytes value), void *ctx)
{
    struct entry **found = xmalloc(store->entries.count * sizeof(*found));
    size_t count = 0;
    for (struct dict_entry *at = NULL; (at = dict_next(&store->entries, at));) {
        struct entry *entry = at->value;
        if (entry->key.size >= prefix.size &&
            bytes_equal(bytes_run(entry->key.data, prefix.size), prefix))
            found[count++] = entry;
    }
    if (count) qsort(found, count, sizeof(*found), by_key);
    for (size_t i = 0; i < count; i++)
        each(ctx, found[i]->key, bytes_run(found[i]->value, found[i]->size));
    xfree(found);
}

uint32_t store_count(const struct store *store)
{
    return store->entries.count;
}

size_t store_bytes(const struct store *store)
{
    return store->bytes;
}
