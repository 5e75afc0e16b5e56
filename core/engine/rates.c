#include "engine/rates.h"

#include "base/alloc.h"

enum { LOOKED_AT = 2 }; /* old ones a call: more than it adds, so that the full ones get fewer */

struct rate {
    struct list node;
    struct bucket bucket;
    struct bucket_limit limit;
    uint32_t key_size;
    char key[];
};

void rates_create(struct rates *rates, uint32_t most)
{
    rates->_entries = DICT_EMPTY;
    list_create(&rates->_by_use);
    rates->_most = most;
}

static void forget(struct rates *rates, struct rate *rate)
{
    dict_remove(&rates->_entries, bytes_run(rate->key, rate->key_size));
    list_remove(&rate->node);
    xfree(rate);
}

static struct rate *oldest(const struct rates *rates)
{
    return CONTAINER(rates->_by_use.next, struct rate, node);
}

void rates_destroy(struct rates *rates)
{
    while (!list_empty(&rates->_by_use)) forget(rates, oldest(rates));
    dict_destroy(&rates->_entries);
}

void rates_set_most(struct rates *rates, uint32_t most)
{
    rates->_most = most;
    while (rates->_entries.count > most) forget(rates, oldest(rates));
}

static void forget_full(struct rates *rates, uint64_t now_ms)
{
    for (int i = 0; i < LOOKED_AT && !list_empty(&rates->_by_use); i++) {
        struct rate *rate = oldest(rates);
        if (!bucket_full(&rate->bucket, rate->limit, now_ms)) return;
        forget(rates, rate);
    }
}

static struct rate *add(struct rates *rates, struct bytes key)
{
    if (rates->_entries.count >= rates->_most && rates->_entries.count) forget(rates, oldest(rates));
    struct rate *rate = xcalloc(1, sizeof(*rate) + key.size);
    list_create(&rate->node);
    rate->key_size = (uint32_t)key.size;
    memcpy(rate->key, key.data, key.size);
    dict_set(&rates->_entries, key, rate);
    return rate;
}

static bool is_same(const struct bucket_limit *a, const struct bucket_limit *b)
{
    return a->rate == b->rate && a->burst == b->burst && a->seconds == b->seconds;
}

uint64_t rates_take(struct rates *rates, struct bytes key, struct bucket_limit limit,
                    uint32_t count, uint64_t now_ms)
{
    forget_full(rates, now_ms);
    struct rate *rate = dict_get(&rates->_entries, key);
    if (!rate) rate = add(rates, key);
    if (!is_same(&rate->limit, &limit)) rate->bucket = (struct bucket){0};
    rate->limit = limit;
    list_remove(&rate->node);
    list_append(&rates->_by_use, &rate->node);
    if (bucket_take_many(&rate->bucket, limit, count, now_ms)) return 0;
    return bucket_wait_many_ms(&rate->bucket, limit, count, now_ms);
}

uint32_t rates_count(const struct rates *rates)
{
    return rates->_entries.count;
}
