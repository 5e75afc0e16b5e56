/* bucket: a token bucket: `rate` a second (or in more of them) in the long run, `burst` at once. Time is
 * an argument, the limit too: a bucket is two numbers, and zeroed it is full.
 *
 * Exact: what is spent is kept in thousandths of a token (of one a second), of which every millisecond
 * gives back `rate`; nothing is rounded, and what a bucket lets through in any stretch of t
 * milliseconds is at most burst + rate * t / 1000. A clock that stands or goes back gives
 * nothing. Another limit (a reload) holds from the next call on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket_limit {
    uint32_t rate;    /* tokens a second; 0: none ever comes back */
    uint32_t burst;   /* tokens that a full bucket has; 0: nothing is ever let through */
    uint32_t seconds; /* in which `rate` come back; 0 is 1. Another number wants another bucket */
};

struct bucket {
    uint64_t _spent; /* parts of tokens, as of */
    uint64_t _at_ms;
};

/* Takes one token. False: there is none, and nothing is taken. */
bool bucket_take(struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms);

/* Takes so many together. More than `burst` are there when the bucket is full; they are owed then, and
 * nothing is let through before they have come back: the rate holds, of the burst that one is let off. */
bool bucket_take_many(struct bucket *bucket, struct bucket_limit limit, uint32_t count,
                      uint64_t now_ms);

/* In how many milliseconds bucket_take(_many) would succeed; 0: now. UINT64_MAX: never. */
uint64_t bucket_wait_ms(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms);
uint64_t bucket_wait_many_ms(const struct bucket *bucket, struct bucket_limit limit,
                             uint32_t count, uint64_t now_ms);

/* Is it as a new one is? Then its owner may forget it, and make it anew when it is needed. */
bool bucket_full(const struct bucket *bucket, struct bucket_limit limit, uint64_t now_ms);
