/* redis_sentinel: asks the sentinels of a url, one after the other, where their master is. It begins with
 * the one that knew it the last time. Sentinels are asked without user and password. */
#pragma once

#include "peers/redis_conn.h"
#include "peers/redis_url.h"

struct redis_sentinel {
    struct redis_conn _conn;
    struct loop *_loop;
    const struct redis_url *_url;
    struct timer _patience; /* with the one that is asked */
    uint64_t _connect_ms, _answer_ms;
    size_t _at, _left;
    char host[256]; /* of the master, once it was found */
    uint16_t port;
    /* Once for a start, never before that returns. why NULL: it was found; else of the last one that was asked. */
    void (*done)(struct redis_sentinel *sentinel, const char *why);
};

/* The url is the owner's, and stays. */
void redis_sentinel_create(struct redis_sentinel *sentinel, struct loop *loop,
                           struct arenas *arenas, const struct redis_url *url,
                           void (*done)(struct redis_sentinel *sentinel, const char *why));

void redis_sentinel_start(struct redis_sentinel *sentinel, uint64_t connect_ms,
                          uint64_t answer_ms);
void redis_sentinel_stop(struct redis_sentinel *sentinel); /* any number of times */
