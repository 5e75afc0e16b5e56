/* redis_server: one server that was opened (peers/redis.h says how it stands and falls). */
#pragma once

#include "peers/redis.h"

/* It is appended to `servers`, whose node it gives to redis_server_status, until it is closed; the limits are the
 * caller's, and stay. NULL: the url is none, with a sentence. */
struct redis *redis_server_open(struct loop *loop, const struct redis_peer_limits *limits,
                                struct list *servers, struct bytes url,
                                const struct redis_events *events, void *owner, struct buf *error);

void redis_server_status(const struct list *node, struct redis_peer_status *status);
