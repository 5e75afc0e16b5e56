#include "base/bucket.h"

#define TOKEN 1000 /* thousandths: what `rate` a second gives in a millisecond is whole */

static uint64_t spent_at(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    if (now_ms <= bucket->_at_ms || limit.rate == 0) return bucket->_spent;
    uint64_t elapsed_ms = now_ms - bucket->_at_ms;
    /* By division: elapsed * rate may not fit. */
    if (elapsed_ms > bucket->_spent / limit.rate) return 0;
    return bucket->_spent - elapsed_ms * limit.rate;
}

bool bucket_take(struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    bucket->_spent = spent_at(bucket, limit, now_ms);
    if (now_ms > bucket->_at_ms) bucket->_at_ms = now_ms;
    if (bucket->_spent + TOKEN > (uint64_t)limit.burst * TOKEN) return false;
    bucket->_spent += TOKEN;
    return true;
}

uint64_t bucket_wait_ms(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms)
{
    if (limit.burst == 0) return UINT64_MAX;
    uint64_t most =
        ((uint64_t)limit.burst - 1) * TOKEN; /* spent at most, for one more to be there */
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
