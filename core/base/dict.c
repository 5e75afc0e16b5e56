/* Chained buckets, a power of two of them, one entry a bucket at most on
 * average. The size changes only when a new key is set - also downwards - and
 * never in dict_remove, so that a walk which removes as it goes is not shuffled
 * under its feet. For the same reason a removed entry stays readable until the
 * next change: dict_next can go on from it. */
#include "base/dict.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"

enum { SMALLEST = 8 };

static uint32_t bucket_count(const struct dict *dict)
{
    return dict->_buckets ? dict->_mask + 1 : 0;
}

static void bury(struct dict *dict, struct dict_entry *entry)
{
    xfree(dict->_removed);
    dict->_removed = entry;
}

/* The link that points to the entry of this key; NULL if there is none. */
static struct dict_entry **find(const struct dict *dict, uint64_t hash, struct bytes key)
{
    if (!dict->count) return NULL;
    struct dict_entry **link = &dict->_buckets[hash & dict->_mask];
    for (; *link; link = &(*link)->_next)
        if ((*link)->_hash == hash && bytes_equal(bytes_run((*link)->key, (*link)->key_size), key))
            return link;
    return NULL;
}

static void add(struct dict *dict, struct dict_entry *entry)
{
    struct dict_entry **bucket = &dict->_buckets[entry->_hash & dict->_mask];
    entry->_next = *bucket;
    *bucket = entry;
}

static void resize(struct dict *dict, uint32_t size)
{
    struct dict_entry **old = dict->_buckets;
    uint32_t old_size = bucket_count(dict);
    dict->_buckets = xcalloc(size, sizeof(*dict->_buckets));
    dict->_mask = size - 1;
    for (uint32_t i = 0; i < old_size; i++) {
        for (struct dict_entry *entry = old[i], *next; entry; entry = next) {
            next = entry->_next;
            add(dict, entry);
        }
    }
    xfree(old);
}

/* Room for one more entry, and not much more than that. */
static void fit(struct dict *dict)
{
    uint32_t size = bucket_count(dict);
    if (dict->count == size)
        resize(dict, size ? size * 2 : SMALLEST);
    else if (size > SMALLEST && dict->count < size / 8)
        resize(dict, size / 2);
}

void dict_destroy(struct dict *dict)
{
    for (uint32_t i = 0; i < bucket_count(dict); i++) {
        for (struct dict_entry *entry = dict->_buckets[i], *next; entry; entry = next) {
            next = entry->_next;
            xfree(entry);
        }
    }
    bury(dict, NULL);
    xfree(dict->_buckets);
    *dict = DICT_EMPTY;
}

void *dict_get(const struct dict *dict, struct bytes key)
{
    if (!dict->count) return NULL;
    struct dict_entry **link = find(dict, hash_bytes(key.data, key.size), key);
    return link ? (*link)->value : NULL;
}

void *dict_set(struct dict *dict, struct bytes key, void *value)
{
    CHECK(value && key.size < UINT32_MAX);
    uint64_t hash = hash_bytes(key.data, key.size);
    struct dict_entry **link = find(dict, hash, key);
    if (link) {
        void *before = (*link)->value;
        (*link)->value = value;
        return before;
    }

    struct dict_entry *entry = xmalloc(sizeof(*entry) + key.size);
    entry->_hash = hash;
    entry->value = value;
    entry->key_size = (uint32_t)key.size;
    if (key.size) memcpy(entry->key, key.data, key.size);
    bury(dict, NULL);
    fit(dict);
    add(dict, entry);
    dict->count++;
    return NULL;
}

void *dict_remove(struct dict *dict, struct bytes key)
{
    if (!dict->count) return NULL;
    struct dict_entry **link = find(dict, hash_bytes(key.data, key.size), key);
    if (!link) return NULL;
    struct dict_entry *entry = *link;
    *link = entry->_next;
    dict->count--;
    bury(dict, entry);
    return entry->value;
}

struct dict_entry *dict_next(const struct dict *dict, const struct dict_entry *entry)
{
    if (entry && entry->_next) return entry->_next;
    uint64_t bucket = entry ? (entry->_hash & dict->_mask) + 1 : 0;
    for (; bucket < bucket_count(dict); bucket++)
        if (dict->_buckets[bucket]) return dict->_buckets[bucket];
    return NULL;
}
