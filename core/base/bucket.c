#include "base/bucket.h"

/* One token, in parts of which `rate` come back every millisecond: thousandths, where it is a second. */
static uint64_t token(struct bucket_limit limit)
{
    return 1000 * (uint64_t)(limit.seconds ? limit.seconds : 1);
}

static uint64_t spent_at(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    if (now_ms <= bucket->_at_ms || limit.rate == 0) return bucket->_spent;
    uint64_t elapsed_ms = now_ms - bucket->_at_ms;
    /* By division: elapsed * rate may not fit. */
    if (elapsed_ms > bucket->_spent / limit.rate) return 0;
    return bucket->_spent - elapsed_ms * limit.rate;
}

/* What may be spent at most for so many more to be there; of more than all, for all to be. */
static uint64_t most_spent(struct bucket_limit limit, uint32_t count)
{
    return count < limit.burst ? (limit.burst - count) * token(limit) : 0;
}

bool bucket_take(struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    return bucket_take_many(bucket, limit, 1, now_ms);
}

bool bucket_take_many(struct bucket *bucket, struct bucket_limit limit, uint32_t count,
                      uint64_t now_ms)
{
    bucket->_spent = spent_at(bucket, limit, now_ms);
    if (now_ms > bucket->_at_ms) bucket->_at_ms = now_ms;
    if (limit.burst == 0 || bucket->_spent > most_spent(limit, count)) return false;
    bucket->_spent += count * token(limit);
    return true;
}

uint64_t bucket_wait_ms(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    return bucket_wait_many_ms(bucket, limit, 1, now_ms);
}

uint64_t bucket_wait_many_ms(const struct bucket *bucket, struct bucket_limit limit,
                             uint32_t count, uint64_t now_ms)
{
    if (limit.burst == 0) return UINT64_MAX;
    uint64_t most = most_spent(limit, count);
    uint64_t spent = spent_at(bucket, limit, now_ms);
    if (spent <= most) return 0;
    if (limit.rate == 0) return UINT64_MAX;
    uint64_t behind_ms = now_ms < bucket->_at_ms ? bucket->_at_ms - now_ms : 0;
    return behind_ms + (spent - most + limit.rate - 1) / limit.rate;
}

bool bucket_full(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    return spent_at(bucket, limit, now_ms) == 0;
}
