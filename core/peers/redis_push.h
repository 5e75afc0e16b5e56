/* redis_push: what the connection for channels brings, and whether the server still owes a word: each channel
 * that is subscribed or not any more is confirmed, between messages. */
#pragma once

#include <stdint.h>

#include "ports/redis.h"

enum redis_push {
    REDIS_PUSH_MESSAGE,      /* channel, payload */
    REDIS_PUSH_SUBSCRIBED,   /* channel, or pattern */
    REDIS_PUSH_UNSUBSCRIBED, /* likewise */
    REDIS_PUSH_ERROR,        /* payload: what the server said */
    REDIS_PUSH_STRANGE
};

enum redis_push redis_push_read(const struct redis_value *value, struct bytes *channel,
                                struct bytes *payload);

/* What the server was asked and what it confirmed, of one connection; zeroed at first. A single number
 * of milliseconds stands for all that waits: what was asked later is judged from when the earlier was
 * confirmed. */
struct redis_owed {
    uint64_t _asked, _confirmed;
    uint64_t _marked; /* what was asked when the clock was looked at, */
    uint64_t _marked_ms;
};

void redis_owed_ask(struct redis_owed *owed, size_t count);
void redis_owed_confirm(struct redis_owed *owed);

/* Since when it owes a word; UINT64_MAX: it does not. To be called after each ask. */
uint64_t redis_owed_since_ms(struct redis_owed *owed, uint64_t now_ms);
